//! Finds beats in sound: moments at which many octaves become louder at once, as at a drum's stroke.

use std::collections::VecDeque;

/// Spectra per second.
pub const RATE: u32 = 50;

/// The groups of bands that are compared, about one octave each: the first band and the weight. The lower ones weigh more:
/// the bass drum beats time more often than the cymbals.
const GROUPS: [(usize, f32); 6] = [(0, 3.0), (2, 2.0), (4, 1.0), (8, 1.0), (16, 1.0), (32, 1.0)];

/// A group's level varies by this many decibels in steady noise: less is no rise.
const NOISE: f32 = 4.0;

/// A group that rises by more decibels counts as if it rose by these: no single group is a beat.
const MAX_RISE: f32 = 20.0;

/// Sounds below this level, in decibels, are silence.
const SILENCE: f32 = -70.0;

/// The least rise that is a beat: the weighted sum of the groups' rises, in decibels. Noise rises by up to 38.
const MIN_RISE: f32 = 40.0;

/// A beat rises above the mean of the last seconds' rises by this many standard deviations.
const DEVIATIONS: f32 = 3.0;

/// The number of rises of which the mean is taken.
const MEMORY: usize = 2 * RATE as usize;

/// The least number of spectra between two beats: 240 beats per minute are the fastest.
const MIN_DISTANCE: usize = RATE as usize / 4;

/// Finds beats in a sequence of spectra.
#[derive(Default)]
pub struct Onsets {
    last: Vec<f32>,
    rises: VecDeque<f32>,
    since: usize,
}

impl Onsets {
    /// Whether a beat begins with this spectrum, which is given by its bands' levels in decibels.
    pub fn hear(&mut self, bands: &[f32]) -> bool {
        let levels: Vec<f32> = levels(bands).collect();
        let rises = GROUPS.iter().zip(levels.iter().zip(&self.last));
        let rise = rises.map(|((_, weight), (now, last))| weight * (now - last - NOISE).clamp(0.0, MAX_RISE)).sum();
        self.last = levels;
        let is_beat = rise > self.threshold() && self.since >= MIN_DISTANCE;
        self.since = if is_beat { 1 } else { self.since.saturating_add(1) };
        if self.rises.len() == MEMORY {
            self.rises.pop_front();
        }
        self.rises.push_back(rise);
        is_beat
    }

    fn threshold(&self) -> f32 {
        let mean = |values: &mut dyn Iterator<Item = f32>| values.sum::<f32>() / self.rises.len().max(1) as f32;
        let usual = mean(&mut self.rises.iter().copied());
        let variance = mean(&mut self.rises.iter().map(|rise| (rise - usual).powi(2)));
        (usual + DEVIATIONS * variance.sqrt()).max(MIN_RISE)
    }
}

/// The groups' levels, in decibels.
fn levels(bands: &[f32]) -> impl Iterator<Item = f32> {
    GROUPS.iter().enumerate().map(|(group, (first, _))| {
        let last = GROUPS.get(group + 1).map_or(bands.len(), |(next, _)| *next);
        let bands = bands.get(*first..last).unwrap_or_default();
        let power: f32 = bands.iter().map(|level| 10_f32.powf(level / 10.0)).sum();
        (10.0 * power.log10()).max(SILENCE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stroke_is_one_beat_also_in_noise() {
        let mut onsets = Onsets::default();
        let beats: Vec<usize> = (0..500)
            .filter(|step| {
                // A stroke that fades within a tenth of a second, and noise that changes by 6 dB.
                let stroke = -20.0 - 12.0 * (step % 30) as f32;
                let bands: Vec<f32> = (0..65)
                    .map(|band| stroke.max(-50.0 + ((step * 7919 + band * 104_729) % 13) as f32 / 2.0))
                    .collect();
                onsets.hear(&bands)
            })
            .collect();
        let expected: Vec<usize> = (1..17).map(|beat| 30 * beat).collect();
        assert_eq!(beats, expected);
    }

    #[test]
    fn silence_and_missing_bands_have_no_beat() {
        let mut onsets = Onsets::default();
        assert!((0..100).all(|step| !onsets.hear(&vec![-80.0 + (step % 9) as f32; 65])));
        assert!(!onsets.hear(&[]) && !onsets.hear(&[f32::NAN; 65]) && !onsets.hear(&[f32::NEG_INFINITY; 3]));
    }
}
