"""Places and objects behind the people."""

from PIL import Image, ImageDraw

from blackbox_anon.world.scene import OBJECTS, PLACES, Scene


def draw_backdrop(scene: Scene, side: int) -> Image.Image:
    """Paint the still background, ``side`` pixels square."""
    image = Image.new("RGB", (side, side), scene.sky)
    draw = ImageDraw.Draw(image)
    line = scene.horizon * side
    place = PLACES[scene.place]
    if place == "park":
        for x in (0.1, 0.88):
            _tree(draw, x * side, line, side)
    elif place == "street":
        for i, x in enumerate((0.0, 0.27, 0.55, 0.8)):
            top = (0.12 + 0.09 * (i % 2)) * side
            shade = 120 + 18 * (i % 3)
            wall = (shade, shade - 20, shade - 25)
            draw.rectangle((x * side, top, (x + 0.24) * side, line), fill=wall)
    elif place == "room":
        draw.rectangle((0.08 * side, 0.1 * side, 0.34 * side, 0.4 * side), fill=(170, 215, 240))
        draw.rectangle((0.7 * side, 0.12 * side, 0.92 * side, 0.34 * side), fill=(150, 90, 60))
    else:
        draw.rectangle((0, line - 0.16 * side, side, line), fill=(40, 110, 170))
        draw.ellipse((0.74 * side, 0.06 * side, 0.9 * side, 0.22 * side), fill=(250, 235, 130))
    draw.rectangle((0, line, side, side), fill=scene.floor)
    if place == "street":
        draw.rectangle((0, 0.88 * side, side, 0.91 * side), fill=(225, 225, 215))
    return image


def _tree(draw: ImageDraw.ImageDraw, x: float, line: float, side: int) -> None:
    draw.rectangle((x - 0.025 * side, line - 0.3 * side, x + 0.025 * side, line), fill=(95, 65, 40))
    crown = (x - 0.13 * side, line - 0.5 * side, x + 0.13 * side, line - 0.22 * side)
    draw.ellipse(crown, fill=(50, 110, 50))


def draw_object(draw: ImageDraw.ImageDraw, scene: Scene, side: int) -> None:
    """Paint the distractor on the floor."""
    kind = OBJECTS[scene.object]
    x, y, r = scene.object_x * side, 0.93 * side, 0.065 * side
    if kind == "ball":
        draw.ellipse((x - r, y - 2 * r, x + r, y), fill=scene.prop)
    elif kind == "box":
        draw.rectangle((x - r, y - 1.8 * r, x + r, y), fill=scene.prop)
    elif kind == "cone":
        draw.polygon([(x, y - 2.6 * r), (x - r, y), (x + r, y)], fill=scene.prop)
