//! Where a box is and how fast it goes: a constant-velocity Kalman filter over irregular looks.
//!
//! The state is that of DeepSORT (Wojke, Bewley, Paulus 2017) and ByteTrack: centre, height and aspect ratio with
//! their velocities. As there all noise is diagonal, so the filter falls apart into one filter of two states for each
//! coordinate. Unlike there the time between two looks varies, so process noise is that of a continuous white-noise
//! acceleration (Bar-Shalom, Li, Kirubarajan, "Estimation with Applications to Tracking and Navigation", 6.2.2).
//!
//! Lengths are in picture heights on both axes. Noise scales with the box's height, as a person's size in the picture
//! says how many pixels a step is.

/// Error of a detector's box: a twentieth of the height (DeepSORT).
const BOX_ERROR: f32 = 0.05;
/// Error of a doubtful box, which often holds only part of the person.
const DOUBTFUL_BOX_ERROR: f32 = 0.1;
/// Error of the aspect ratio: arms and legs.
const ASPECT_ERROR: f32 = 0.1;
/// Speed at first sight is unknown; a walker covers 0.8 of its height in a second.
const FIRST_SPEED: f32 = 0.8;
/// Spectral density of the acceleration: a walker stops or turns within about a second.
const ACCELERATION: f32 = 1.0;
/// Spectral density of the aspect ratio's random walk.
const ASPECT_WALK: f32 = 0.05;
/// Heights below this would make the noise vanish.
const LEAST_HEIGHT: f32 = 0.005;

/// A box as the filter knows it; lengths in picture heights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    pub(super) cx: f32,
    pub(super) cy: f32,
    pub(super) height: f32,
    /// Width over height.
    pub(super) aspect: f32,
}

/// Position and velocity of one coordinate, with their covariance.
#[derive(Debug, Clone, Copy)]
struct Axis {
    at: f32,
    speed: f32,
    var_at: f32,
    cov: f32,
    var_speed: f32,
}

impl Axis {
    fn new(at: f32, error: f32, speed_error: f32) -> Self {
        Self {
            at,
            speed: 0.0,
            var_at: error * error,
            cov: 0.0,
            var_speed: speed_error * speed_error,
        }
    }

    /// Time passes: `dt` seconds of growing doubt, `moving` of them at the present speed.
    fn predict(&mut self, dt: f32, moving: f32, acceleration: f32, walk: f32) {
        self.at += self.speed * moving;
        self.var_at += dt * (2.0 * self.cov + dt * self.var_speed)
            + acceleration * dt.powi(3) / 3.0
            + walk * dt;
        self.cov += dt * self.var_speed + acceleration * dt * dt / 2.0;
        self.var_speed += acceleration * dt;
    }

    fn update(&mut self, measured: f32, error: f32) {
        let total = self.var_at + error * error;
        let (gain_at, gain_speed) = (self.var_at / total, self.cov / total);
        let surprise = measured - self.at;
        self.at += gain_at * surprise;
        self.speed += gain_speed * surprise;
        self.var_speed -= gain_speed * self.cov;
        self.cov -= gain_at * self.cov;
        self.var_at -= gain_at * self.var_at;
    }
}

/// The filter of one track.
#[derive(Debug, Clone)]
pub(super) struct BoxFilter {
    cx: Axis,
    cy: Axis,
    height: Axis,
    aspect: Axis,
}

impl BoxFilter {
    /// Starts at rest at a first sight.
    pub(super) fn new(first: Shape) -> Self {
        let scale = first.height.max(LEAST_HEIGHT);
        let (error, speed) = (BOX_ERROR * scale, FIRST_SPEED * scale);
        Self {
            cx: Axis::new(first.cx, error, speed),
            cy: Axis::new(first.cy, error, speed),
            height: Axis::new(first.height, error, speed / 2.0),
            aspect: Axis::new(first.aspect, ASPECT_ERROR, 0.0),
        }
    }

    /// `dt` seconds pass, of which the box is believed to keep moving for `moving`.
    pub(super) fn predict(&mut self, dt: f32, moving: f32) {
        let scale = self.height.at.max(LEAST_HEIGHT);
        let acceleration = ACCELERATION * scale * scale;
        self.cx.predict(dt, moving, acceleration, 0.0);
        self.cy.predict(dt, moving, acceleration, 0.0);
        self.height.predict(dt, moving, acceleration / 4.0, 0.0);
        self.aspect.predict(dt, 0.0, 0.0, ASPECT_WALK);
        self.height.at = self.height.at.max(LEAST_HEIGHT);
    }

    /// A box was seen.
    pub(super) fn update(&mut self, seen: Shape, doubtful: bool) {
        let scale = self.height.at.max(LEAST_HEIGHT);
        let error = scale
            * if doubtful {
                DOUBTFUL_BOX_ERROR
            } else {
                BOX_ERROR
            };
        self.cx.update(seen.cx, error);
        self.cy.update(seen.cy, error);
        self.height.update(seen.height, error);
        self.height.at = self.height.at.max(LEAST_HEIGHT);
        self.aspect.update(seen.aspect, ASPECT_ERROR);
    }

    /// Nothing was seen: a box that was growing does not go on growing unseen (ByteTrack).
    pub(super) fn missed(&mut self) {
        self.height.speed = 0.0;
    }

    pub(super) fn shape(&self) -> Shape {
        Shape {
            cx: self.cx.at,
            cy: self.cy.at,
            height: self.height.at,
            aspect: self.aspect.at.max(0.01),
        }
    }

    /// Velocity of the centre, picture heights a second.
    pub(super) fn velocity(&self) -> (f32, f32) {
        (self.cx.speed, self.cy.speed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(cx: f32) -> Shape {
        Shape {
            cx,
            cy: 0.5,
            height: 0.4,
            aspect: 0.4,
        }
    }

    #[test]
    fn learns_a_steady_walk_over_irregular_looks() {
        let mut filter = BoxFilter::new(at(0.2));
        let mut time = 0.0_f32;
        for dt in [0.2, 0.2, 1.0, 0.2, 0.4, 0.2, 0.2, 0.2] {
            time += dt;
            filter.predict(dt, dt);
            filter.update(at(0.2 + 0.3 * time), false);
        }
        assert!((filter.velocity().0 - 0.3).abs() < 0.02);
        assert!(filter.velocity().1.abs() < 1e-3);
        filter.predict(1.0, 1.0);
        assert!((filter.shape().cx - (0.2 + 0.3 * (time + 1.0))).abs() < 0.03);
    }

    #[test]
    fn stays_where_it_is_told_that_it_no_longer_moves() {
        let mut filter = BoxFilter::new(at(0.2));
        filter.predict(0.2, 0.2);
        filter.update(at(0.3), false);
        let before = filter.shape().cx;
        filter.predict(5.0, 0.0);
        assert_eq!(filter.shape().cx, before);
    }

    #[test]
    fn a_doubtful_box_moves_it_less() {
        let moved = |doubtful| {
            let mut filter = BoxFilter::new(at(0.2));
            filter.predict(0.2, 0.2);
            filter.update(at(0.3), doubtful);
            filter.shape().cx
        };
        assert!(moved(true) < moved(false));
    }
}
