//! How far to go along a direction. J. Moré, D. Thuente, "Line Search Algorithms with Guaranteed Sufficient Decrease" (ACM
//! TOMS 20, 1994), with the constants that L-BFGS-B uses it with.

/// The loss must fall by this share of what the slope promises.
const DECREASE: f64 = 1e-3;
/// The slope must flatten to this share of the first.
const CURVATURE: f64 = 0.9;
/// An interval this small, as a share of its end, holds nothing better.
const INTERVAL: f64 = 0.1;
/// How much further to look while no minimum is enclosed.
const EXTRAPOLATION: (f64, f64) = (1.1, 4.0);
const LONGEST: f64 = 1e10;

/// A length along the direction, with the loss and its slope there.
#[derive(Clone, Copy)]
struct Trial {
    at: f64,
    loss: f64,
    slope: f64,
}

impl Trial {
    /// With the promised decrease taken off: where this falls, so does the loss, by enough.
    fn less(self, slope: f64) -> Self {
        Self { at: self.at, loss: self.loss - self.at * slope, slope: self.slope - slope }
    }

    /// Whether one of the two rises and the other falls.
    fn turns_from(self, other: Self) -> bool {
        self.slope * other.slope.signum() < 0.0
    }
}

/// A search under way.
pub(super) struct LineSearch {
    start: Trial,
    /// The best length so far, and the interval's other end.
    best: Trial,
    other: Trial,
    is_enclosed: bool,
    /// Whether a loss low enough was met at a rising slope.
    is_near: bool,
    /// The length that is tried, and its bounds.
    length: f64,
    least: f64,
    most: f64,
    /// The interval's width, and that of two trials before.
    widths: [f64; 2],
}

/// What to do with the length that was tried.
pub(super) enum Verdict {
    Accepted,
    /// This one is worth a try.
    Try(f64),
}

impl LineSearch {
    /// Begins with `length`, from a point of this loss and slope, which falls.
    pub(super) fn new(length: f64, loss: f64, slope: f64) -> Self {
        let start = Trial { at: 0.0, loss, slope };
        Self {
            start,
            best: start,
            other: start,
            is_enclosed: false,
            is_near: false,
            length,
            least: 0.0,
            most: length + EXTRAPOLATION.1 * length,
            widths: [LONGEST, 2.0 * LONGEST],
        }
    }

    /// Judges the length that was tried last.
    pub(super) fn judge(&mut self, loss: f64, slope: f64) -> Verdict {
        let trial = Trial { at: self.length, loss, slope };
        let promised = DECREASE * self.start.slope;
        let is_low = loss <= self.start.loss + self.length * promised;
        self.is_near |= is_low && slope >= 0.0;

        let is_exhausted = self.is_enclosed
            && (self.length <= self.least
                || self.length >= self.most
                || self.most - self.least <= INTERVAL * self.most);
        let is_flat = is_low && slope.abs() <= CURVATURE * -self.start.slope;
        if is_flat || is_exhausted || (self.length >= LONGEST && is_low && slope <= promised) {
            return Verdict::Accepted;
        }

        // Until the loss is low enough the promised decrease guides, then the loss itself.
        let guide = if !self.is_near && loss <= self.best.loss && !is_low { promised } else { 0.0 };
        let [guided, best, other] = [trial, self.best, self.other].map(|trial| trial.less(guide));
        self.length = self.choose(guided, best, other);
        if guided.loss > best.loss {
            self.other = trial;
        } else {
            if guided.turns_from(best) {
                self.other = self.best;
            }
            self.best = trial;
        }

        if self.is_enclosed {
            let width = (self.other.at - self.best.at).abs();
            if width >= 0.66 * self.widths[1] {
                self.length = self.best.at + 0.5 * (self.other.at - self.best.at);
            }
            self.widths = [width, self.widths[0]];
            self.least = self.best.at.min(self.other.at);
            self.most = self.best.at.max(self.other.at);
        } else {
            let further = |factor| self.length + factor * (self.length - self.best.at);
            (self.least, self.most) = (further(EXTRAPOLATION.0), further(EXTRAPOLATION.1));
        }
        self.length = self.length.clamp(0.0, LONGEST);
        let is_outside = self.length <= self.least || self.length >= self.most;
        if self.is_enclosed && (is_outside || self.most - self.least <= INTERVAL * self.most) {
            self.length = self.best.at;
        }
        Verdict::Try(self.length)
    }

    /// The next length to try: minima of a cubic and of a parabola through what is known (section 4 of the paper).
    fn choose(&mut self, trial: Trial, best: Trial, other: Trial) -> f64 {
        let along = |from: Trial, to: Trial, share: f64| from.at + share * (to.at - from.at);
        if trial.loss > best.loss {
            // The loss rose: a minimum lies between.
            self.is_enclosed = true;
            let cubic = along(best, trial, cubic_minimum(best, trial));
            let fall = (best.loss - trial.loss) / (trial.at - best.at) + best.slope;
            let parabola = along(best, trial, best.slope / fall / 2.0);
            if (cubic - best.at).abs() < (parabola - best.at).abs() { cubic } else { cubic + (parabola - cubic) / 2.0 }
        } else if trial.turns_from(best) {
            // The slope turned: a minimum lies between.
            self.is_enclosed = true;
            let cubic = along(trial, best, cubic_minimum(trial, best));
            let secant = along(trial, best, trial.slope / (trial.slope - best.slope));
            if (cubic - trial.at).abs() > (secant - trial.at).abs() { cubic } else { secant }
        } else if trial.slope.abs() < best.slope.abs() {
            // The slope flattens: the minimum lies further on, if the cubic has one there.
            let share = cubic_minimum(trial, best);
            let cubic = if share < 0.0 {
                along(trial, best, share)
            } else if trial.at > best.at {
                self.most
            } else {
                self.least
            };
            let secant = along(trial, best, trial.slope / (trial.slope - best.slope));
            let is_cubic_nearer = (cubic - trial.at).abs() < (secant - trial.at).abs();
            if self.is_enclosed {
                let length = if is_cubic_nearer { cubic } else { secant };
                let limit = along(trial, other, 0.66);
                if trial.at > best.at { length.min(limit) } else { length.max(limit) }
            } else {
                let length = if is_cubic_nearer { secant } else { cubic };
                length.max(self.least).min(self.most)
            }
        } else if self.is_enclosed {
            along(trial, other, cubic_minimum(trial, other))
        } else if trial.at > best.at {
            self.most
        } else {
            self.least
        }
    }
}

/// Where the cubic with these values and slopes has its minimum, as a share of the way from `a` to `b`.
fn cubic_minimum(a: Trial, b: Trial) -> f64 {
    let theta = 3.0 * (a.loss - b.loss) / (b.at - a.at) + a.slope + b.slope;
    let scale = theta.abs().max(a.slope.abs()).max(b.slope.abs());
    let root = scale * ((theta / scale).powi(2) - (a.slope / scale) * (b.slope / scale)).max(0.0).sqrt();
    let gamma = if b.at < a.at { -root } else { root };
    ((gamma - a.slope) + theta) / (((gamma - a.slope) + gamma) + b.slope)
}
