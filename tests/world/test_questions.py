from blackbox_anon.world import PeopleWorld
from blackbox_anon.world.questions import (
    ACTION_QUESTION,
    ATTRIBUTE_QUESTIONS,
    COUNT_QUESTION,
    OBJECT_QUESTION,
    PLACE_QUESTION,
    vocabulary,
)
from blackbox_anon.world.scene import OBJECTS, PLACES

COUNTS = {"one": 1, "three": 3, "four": 4, "six": 6}


def test_answers_are_what_the_scene_shows() -> None:
    world = PeopleWorld("val", length=50)
    for index in range(len(world)):
        scene = world.scene(index)
        answers = {pair.question: pair.answer for pair in world.question_answers(index)}
        assert answers[ACTION_QUESTION] == world.classes[scene.action]
        assert answers[PLACE_QUESTION] == PLACES[scene.place]
        assert answers[OBJECT_QUESTION] == OBJECTS[scene.object]
        assert COUNTS[answers[COUNT_QUESTION]] == len(scene.people)
        for name, present in zip(world.attributes, scene.attributes, strict=True):
            assert answers[ATTRIBUTE_QUESTIONS[name]] == ("yes" if present else "no")


def test_crowds_follow_the_relationship_attributes() -> None:
    world = PeopleWorld("test", length=50)
    for index in range(len(world)):
        scene = world.scene(index)
        *_, couple, group = scene.attributes
        assert len(scene.people) == 1 + 2 * couple + 3 * group


def test_every_word_is_in_the_vocabulary() -> None:
    words = set(vocabulary())
    for pair in PeopleWorld("train", length=30).question_answers(11):
        assert set(f"{pair.question} {pair.answer}".replace("?", " ?").split()) <= words
