"""What the embedded MLLM can be asked, and what is true."""

from dataclasses import dataclass

from blackbox_anon.world.actions import ACTIONS
from blackbox_anon.world.scene import ATTRIBUTES, OBJECTS, PLACES, Scene

ACTION_QUESTION = "What is the person doing?"
ATTRIBUTE_QUESTIONS: dict[str, str] = {
    "a17_color": "Is skin color visible?",
    "a4_gender": "Is gender visible?",
    "a9_face_complete": "Is a complete face visible?",
    "a10_face_partial": "Is a partial face visible?",
    "a12_semi_nudity": "Is there semi-nudity?",
    "a64_rel_personal": "Is there a couple?",
    "a65_rel_social": "Is there a group?",
}
PLACE_QUESTION = "Where is this?"
OBJECT_QUESTION = "What lies on the ground?"
COUNT_QUESTION = "How many people are there?"
_COUNTS = {1: "one", 3: "three", 4: "four", 6: "six"}


@dataclass(frozen=True)
class QuestionAnswer:
    """A question about a clip and its short true answer."""

    question: str
    answer: str


def question_answers(scene: Scene) -> list[QuestionAnswer]:
    """List everything that can be asked about a scene: action, attributes, place, object, count."""
    attributes = [
        QuestionAnswer(ATTRIBUTE_QUESTIONS[name], "yes" if present else "no")
        for name, present in zip(ATTRIBUTES, scene.attributes, strict=True)
    ]
    return [
        QuestionAnswer(ACTION_QUESTION, ACTIONS[scene.action]),
        *attributes,
        QuestionAnswer(PLACE_QUESTION, PLACES[scene.place]),
        QuestionAnswer(OBJECT_QUESTION, OBJECTS[scene.object]),
        QuestionAnswer(COUNT_QUESTION, _COUNTS[len(scene.people)]),
    ]


def vocabulary() -> list[str]:
    """List every word of the questions and answers, sorted."""
    answers = [*ACTIONS, *PLACES, *OBJECTS, *_COUNTS.values(), "yes", "no"]
    questions = [
        ACTION_QUESTION,
        *ATTRIBUTE_QUESTIONS.values(),
        PLACE_QUESTION,
        OBJECT_QUESTION,
        COUNT_QUESTION,
    ]
    texts = [text.replace("?", " ?") for text in (*questions, *answers)]
    return sorted({word for text in texts for word in text.split()})
