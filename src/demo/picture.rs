//! What the demo machine's screen shows, drawn afresh for each reading.

use std::convert::Infallible;

use embedded_graphics::{
    Drawable, Pixel,
    draw_target::DrawTarget,
    geometry::{OriginDimensions, Point, Size},
    mono_font::{MonoFont, MonoTextStyle, ascii},
    pixelcolor::{Rgb888, RgbColor},
    primitives::{PrimitiveStyle, Rectangle, StyledDrawable},
    text::Text,
};

use super::press::Reading;

/// The screen's size in pixels.
pub(super) const WIDTH: u16 = 640;
/// See [`WIDTH`].
pub(super) const HEIGHT: u16 = 400;
/// Where a click stops or starts the motor: left, top, right, bottom.
pub(super) const BUTTON: (u16, u16, u16, u16) = (360, 320, 600, 376);

const GROUND: Rgb888 = Rgb888::new(16, 23, 30);
const PANEL: Rgb888 = Rgb888::new(30, 42, 54);
const STEEL: Rgb888 = Rgb888::new(143, 161, 179);
const LIGHT: Rgb888 = Rgb888::new(232, 237, 242);
const WORK: Rgb888 = Rgb888::new(224, 164, 88);
const GO: Rgb888 = Rgb888::new(61, 220, 151);
const HALT: Rgb888 = Rgb888::new(255, 107, 94);

/// Pixels, three bytes each (red, green, blue), row by row.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Picture(Vec<[u8; 3]>);

impl Picture {
    /// A dark screen.
    pub(super) fn blank() -> Self {
        Self(vec![[0; 3]; usize::from(WIDTH) * usize::from(HEIGHT)])
    }

    /// One row of pixels; empty below the last.
    pub(super) fn row(&self, y: u16) -> &[[u8; 3]] {
        let first = usize::from(y) * usize::from(WIDTH);
        self.0.get(first..first + usize::from(WIDTH)).unwrap_or_default()
    }

    /// The machine as it is now.
    pub(super) fn of(reading: Reading) -> Self {
        let mut picture = Self::blank();
        picture.bar(0, 0, WIDTH, HEIGHT, GROUND);
        picture.bar(0, 0, WIDTH, 48, PANEL);
        picture.text("PRESS 7", 24, 31, &ascii::FONT_10X20, LIGHT);
        let (state, colour) = if reading.running { ("RUNNING", GO) } else { ("STOPPED", HALT) };
        picture.text(state, 530, 31, &ascii::FONT_10X20, colour);
        picture.press(reading.ram);
        picture.values(reading);
        let (left, top, right, bottom) = BUTTON;
        let (label, colour) = if reading.running { ("STOP", HALT) } else { ("START", GO) };
        picture.bar(left, top, right - left, bottom - top, colour);
        picture.text(label, i32::from(left) + 96, i32::from(top) + 34, &ascii::FONT_10X20, GROUND);
        picture
    }

    fn press(&mut self, ram: u16) {
        self.bar(56, 80, 232, 28, PANEL);
        self.bar(64, 108, 16, 220, PANEL);
        self.bar(264, 108, 16, 220, PANEL);
        let down = ram.min(1_000) / 12;
        self.bar(152, 108, 40, 70 + down, STEEL);
        self.bar(104, 178 + down, 136, 44, LIGHT);
        self.bar(120, 306, 104, 14, WORK);
        self.bar(48, 320, 248, 36, PANEL);
    }

    fn values(&mut self, reading: Reading) {
        let lines = [
            ("STROKES", reading.strokes.to_string()),
            ("SPEED   1/min", reading.speed.to_string()),
            ("FORCE   kN", tenths(reading.force)),
            ("OIL     deg C", tenths(reading.oil)),
        ];
        for (at, (name, value)) in (0_i32..).zip(lines) {
            let y = 96 + at * 56;
            self.text(name, 360, y, &ascii::FONT_8X13, STEEL);
            self.text(&value, 360, y + 24, &ascii::FONT_10X20, LIGHT);
        }
    }

    fn bar(&mut self, x: u16, y: u16, width: u16, height: u16, colour: Rgb888) {
        let corner = Point::new(i32::from(x), i32::from(y));
        let size = Size::new(u32::from(width), u32::from(height));
        let style = PrimitiveStyle::with_fill(colour);
        let Ok(()) = Rectangle::new(corner, size).draw_styled(&style, self);
    }

    fn text(&mut self, text: &str, x: i32, y: i32, font: &MonoFont<'_>, colour: Rgb888) {
        let Ok(_) = Text::new(text, Point::new(x, y), MonoTextStyle::new(font, colour)).draw(self);
    }
}

fn tenths(value: u16) -> String {
    format!("{}.{}", value / 10, value % 10)
}

impl OriginDimensions for Picture {
    fn size(&self) -> Size {
        Size::new(u32::from(WIDTH), u32::from(HEIGHT))
    }
}

impl DrawTarget for Picture {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        for Pixel(Point { x, y }, colour) in pixels {
            let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { continue };
            if x >= usize::from(WIDTH) {
                continue;
            }
            if let Some(pixel) = self.0.get_mut(y * usize::from(WIDTH) + x) {
                *pixel = [colour.r(), colour.g(), colour.b()];
            }
        }
        Ok(())
    }
}
