//! Line search. J. Moré, D. Thuente, "Line Search Algorithms with Guaranteed Sufficient Decrease" (ACM TOMS 20, 1994),
//! with the constants of L-BFGS-B.

/// The loss must decrease by this fraction of the decrease that the initial slope predicts.
const DECREASE: f64 = 1e-3;
/// The slope must decrease to this fraction of the initial one.
const CURVATURE: f64 = 0.9;
/// The search ends if the interval is smaller than this fraction of its upper end.
const INTERVAL: f64 = 0.1;
/// The factors of extrapolation while no minimum is bracketed.
const EXTRAPOLATION: (f64, f64) = (1.1, 4.0);
const MAX_LENGTH: f64 = 1e10;

/// A length along the direction, with the loss and its slope there.
#[derive(Clone, Copy)]
struct Trial {
    at: f64,
    loss: f64,
    slope: f64,
}

impl Trial {
    /// The trial of the auxiliary function `loss - at * slope`.
    fn minus_line(self, slope: f64) -> Self {
        Self { at: self.at, loss: self.loss - self.at * slope, slope: self.slope - slope }
    }

    /// Whether the loss rises at one of the trials and falls at the other.
    fn has_opposite_slope(self, other: Self) -> bool {
        self.slope * other.slope.signum() < 0.0
    }
}

/// The state of a search.
pub(super) struct LineSearch {
    start: Trial,
    /// The best length so far, and the interval's other end.
    best: Trial,
    other: Trial,
    is_bracketed: bool,
    /// Whether a trial had a sufficiently low loss and a slope that is not negative: the paper's second stage.
    is_second_stage: bool,
    /// The length of the next trial, and its bounds.
    length: f64,
    min_length: f64,
    max_length: f64,
    /// The interval's width at the last trial and at the one before.
    widths: [f64; 2],
}

/// The result of a trial.
pub(super) enum Verdict {
    /// The length satisfies the conditions, or no better one can be found.
    Accepted,
    /// This length must be tried next.
    Try(f64),
}

impl LineSearch {
    /// Starts with `length`, from a point with this loss and this slope, which must be negative.
    pub(super) fn new(length: f64, loss: f64, slope: f64) -> Self {
        let start = Trial { at: 0.0, loss, slope };
        Self {
            start,
            best: start,
            other: start,
            is_bracketed: false,
            is_second_stage: false,
            length,
            min_length: 0.0,
            max_length: length + EXTRAPOLATION.1 * length,
            widths: [MAX_LENGTH, 2.0 * MAX_LENGTH],
        }
    }

    /// Evaluates the last trial, which has this loss and slope.
    pub(super) fn judge(&mut self, loss: f64, slope: f64) -> Verdict {
        let trial = Trial { at: self.length, loss, slope };
        let sufficient = DECREASE * self.start.slope;
        let is_low = loss <= self.start.loss + self.length * sufficient;
        self.is_second_stage |= is_low && slope >= 0.0;

        let is_exhausted = self.is_bracketed
            && (self.length <= self.min_length
                || self.length >= self.max_length
                || self.max_length - self.min_length <= INTERVAL * self.max_length);
        let is_flat = is_low && slope.abs() <= CURVATURE * -self.start.slope;
        if is_flat || is_exhausted || (self.length >= MAX_LENGTH && is_low && slope <= sufficient) {
            return Verdict::Accepted;
        }

        // In the first stage, the auxiliary function is used while the loss is too high; otherwise the loss itself.
        let line = if !self.is_second_stage && loss <= self.best.loss && !is_low { sufficient } else { 0.0 };
        let [current, best, other] = [trial, self.best, self.other].map(|trial| trial.minus_line(line));
        self.length = self.choose(current, best, other);
        if current.loss > best.loss {
            self.other = trial;
        } else {
            if current.has_opposite_slope(best) {
                self.other = self.best;
            }
            self.best = trial;
        }

        if self.is_bracketed {
            let width = (self.other.at - self.best.at).abs();
            if width >= 0.66 * self.widths[1] {
                self.length = self.best.at + 0.5 * (self.other.at - self.best.at);
            }
            self.widths = [width, self.widths[0]];
            self.min_length = self.best.at.min(self.other.at);
            self.max_length = self.best.at.max(self.other.at);
        } else {
            let further = |factor| self.length + factor * (self.length - self.best.at);
            (self.min_length, self.max_length) = (further(EXTRAPOLATION.0), further(EXTRAPOLATION.1));
        }
        self.length = self.length.clamp(0.0, MAX_LENGTH);
        let is_outside = self.length <= self.min_length || self.length >= self.max_length;
        if self.is_bracketed && (is_outside || self.max_length - self.min_length <= INTERVAL * self.max_length) {
            self.length = self.best.at;
        }
        Verdict::Try(self.length)
    }

    /// The next length to try, from the minima of a cubic and of a parabola through the trials (section 4 of the
    /// paper).
    fn choose(&mut self, trial: Trial, best: Trial, other: Trial) -> f64 {
        let along = |from: Trial, to: Trial, fraction: f64| from.at + fraction * (to.at - from.at);
        if trial.loss > best.loss {
            // The loss rose: there is a minimum in between.
            self.is_bracketed = true;
            let cubic = along(best, trial, cubic_minimum(best, trial));
            let fall = (best.loss - trial.loss) / (trial.at - best.at) + best.slope;
            let parabola = along(best, trial, best.slope / fall / 2.0);
            if (cubic - best.at).abs() < (parabola - best.at).abs() { cubic } else { cubic + (parabola - cubic) / 2.0 }
        } else if trial.has_opposite_slope(best) {
            // The slope changed its sign: there is a minimum in between.
            self.is_bracketed = true;
            let cubic = along(trial, best, cubic_minimum(trial, best));
            let secant = along(trial, best, trial.slope / (trial.slope - best.slope));
            if (cubic - trial.at).abs() > (secant - trial.at).abs() { cubic } else { secant }
        } else if trial.slope.abs() < best.slope.abs() {
            // The slope decreases: the minimum is further ahead, if the cubic has one there.
            let fraction = cubic_minimum(trial, best);
            let cubic = if fraction < 0.0 {
                along(trial, best, fraction)
            } else if trial.at > best.at {
                self.max_length
            } else {
                self.min_length
            };
            let secant = along(trial, best, trial.slope / (trial.slope - best.slope));
            let is_cubic_nearer = (cubic - trial.at).abs() < (secant - trial.at).abs();
            if self.is_bracketed {
                let length = if is_cubic_nearer { cubic } else { secant };
                let limit = along(trial, other, 0.66);
                if trial.at > best.at { length.min(limit) } else { length.max(limit) }
            } else {
                let length = if is_cubic_nearer { secant } else { cubic };
                length.max(self.min_length).min(self.max_length)
            }
        } else if self.is_bracketed {
            along(trial, other, cubic_minimum(trial, other))
        } else if trial.at > best.at {
            self.max_length
        } else {
            self.min_length
        }
    }
}

/// The position of the minimum of the cubic with these values and slopes, as a fraction of the way from `a` to `b`.
fn cubic_minimum(a: Trial, b: Trial) -> f64 {
    let theta = 3.0 * (a.loss - b.loss) / (b.at - a.at) + a.slope + b.slope;
    let scale = theta.abs().max(a.slope.abs()).max(b.slope.abs());
    let root = scale * ((theta / scale).powi(2) - (a.slope / scale) * (b.slope / scale)).max(0.0).sqrt();
    let gamma = if b.at < a.at { -root } else { root };
    ((gamma - a.slope) + theta) / (((gamma - a.slope) + gamma) + b.slope)
}
