//! The demo's machine: a press that strokes, warms up, and can be stopped.
//!
//! One value stands behind its HMI page, its controller and its screen, so that what one of them
//! changes the others show.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use serde::Serialize;

/// Strokes a minute at most; what is written above it is held there.
pub(super) const SPEED_MAX: u16 = 120;

/// What the machine looks like at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Reading {
    pub(super) running: bool,
    /// Set-point, strokes a minute.
    pub(super) speed: u16,
    /// Strokes since the machine was switched on.
    pub(super) strokes: u32,
    /// The ram's place: 0 above, 1,000 below.
    pub(super) ram: u16,
    /// Tenths of a kilonewton.
    pub(super) force: u16,
    /// Tenths of a degree Celsius.
    pub(super) oil: u16,
}

/// The machine.
#[derive(Debug)]
pub(super) struct Press(Mutex<State>);

#[derive(Debug)]
struct State {
    at: Instant,
    running: bool,
    speed: u16,
    /// Strokes done, with the part of the one under way.
    strokes: f64,
    /// Degrees Celsius.
    oil: f64,
}

/// Oil at rest and the most that running warms it, degrees Celsius.
const OIL_REST: f64 = 31.0;
const OIL_RISE: f64 = 22.0;
/// Seconds in which the oil gets most of the way to its new temperature.
const OIL_SECONDS: f64 = 90.0;
/// Force at the bottom of a stroke, kilonewtons.
const FORCE: f64 = 640.0;

impl Press {
    /// A press that has run for a while, at 24 strokes a minute.
    #[must_use]
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(State {
            at: now,
            running: true,
            speed: 24,
            strokes: 18_204.0,
            oil: OIL_REST + OIL_RISE / 3.0,
        }))
    }

    /// What it shows at `now`.
    pub(super) fn read(&self, now: Instant) -> Reading {
        self.with(now, |state| state.reading())
    }

    /// Starts or stops the motor.
    pub(super) fn run(&self, running: bool, now: Instant) {
        self.with(now, |state| state.running = running);
    }

    /// Sets the speed, strokes a minute; at most [`SPEED_MAX`].
    pub(super) fn set_speed(&self, speed: u16, now: Instant) {
        self.with(now, |state| state.speed = speed.min(SPEED_MAX));
    }

    fn with<T>(&self, now: Instant, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.advance(now);
        act(&mut state)
    }
}

impl State {
    fn advance(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        let load = if self.running { f64::from(self.speed) / f64::from(SPEED_MAX) } else { 0.0 };
        if self.running {
            self.strokes += f64::from(self.speed) / 60.0 * seconds;
        }
        let goal = OIL_REST + OIL_RISE * load.sqrt();
        self.oil += (goal - self.oil) * (1.0 - (-seconds / OIL_SECONDS).exp());
    }

    fn reading(&self) -> Reading {
        let phase = self.strokes.fract();
        let down = (1.0 - (phase * std::f64::consts::TAU).cos()) / 2.0;
        let pressing = ((down - 0.85) / 0.15).max(0.0);
        Reading {
            running: self.running,
            speed: self.speed,
            strokes: whole(self.strokes, u32::MAX),
            ram: whole(down * 1_000.0, u16::MAX),
            force: whole(FORCE * 10.0 * pressing, u16::MAX),
            oil: whole(self.oil * 10.0, u16::MAX),
        }
    }
}

/// The whole part of `value`, held at `max`; `as` saturates and takes NaN to 0 (Rust reference).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and the value was held below the type's maximum"
)]
fn whole<T: TryFrom<u64> + Copy>(value: f64, max: T) -> T {
    T::try_from(value as u64).unwrap_or(max)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Now;

    #[test]
    fn a_running_press_strokes_at_its_speed_and_a_stopped_one_stays() {
        let start = Now::read().mono;
        let press = Press::new(start);
        let first = press.read(start).strokes;
        press.set_speed(60, start);
        let later = start + Duration::from_secs(10);
        assert_eq!(press.read(later).strokes, first + 10);
        press.run(false, later);
        assert_eq!(press.read(later + Duration::from_secs(60)).strokes, first + 10);
    }

    #[test]
    fn a_speed_beyond_the_machine_is_held() {
        let now = Now::read().mono;
        let press = Press::new(now);
        press.set_speed(u16::MAX, now);
        assert_eq!(press.read(now).speed, SPEED_MAX);
    }
}
