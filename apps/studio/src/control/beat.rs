//! The beat: from a MIDI clock or, while none runs, from the audio. Times are in seconds.

/// A MIDI clock ticks this often in each beat.
const TICKS: u32 = 24;

/// A MIDI clock that is silent for this long has ended.
const CLOCK_END: f64 = 1.0;

/// Without a beat for this long there is no beat any more: 30 beats per minute are the slowest.
const BEAT_END: f64 = 2.0;

/// The length of a beat while it is unknown.
const USUAL: f64 = 0.5;

/// The beat.
#[derive(Default)]
pub struct Beat {
    clock: Option<Clock>,
    /// The time of the last beat.
    last: Option<f64>,
    /// The time from the beat before to the last one.
    length: Option<f64>,
}

/// The MIDI clock that is followed: that of the first port that ticks.
struct Clock {
    port: u64,
    ticks: u32,
    last: f64,
}

impl Beat {
    /// Counts a tick of a port's MIDI clock; true at a beat.
    pub fn tick(&mut self, port: u64, now: f64) -> bool {
        let running = self.clock.take_if(|clock| now - clock.last < CLOCK_END);
        let mut clock = running.unwrap_or(Clock { port, ticks: 0, last: now });
        let is_beat = clock.port == port && clock.ticks.is_multiple_of(TICKS);
        if clock.port == port {
            clock.ticks = (clock.ticks + 1) % TICKS;
            clock.last = now;
        }
        self.clock = Some(clock);
        if is_beat {
            self.note(now);
        }
        is_beat
    }

    /// A port's MIDI clock starts: its next tick is a beat.
    pub fn start(&mut self, port: u64, now: f64) {
        if self.clock.as_ref().is_none_or(|clock| clock.port == port || now - clock.last >= CLOCK_END) {
            self.clock = Some(Clock { port, ticks: 0, last: now });
        }
    }

    /// A port's MIDI clock stops.
    pub fn stop(&mut self, port: u64) {
        if self.clock.take_if(|clock| clock.port == port).is_some() {
            (self.last, self.length) = (None, None);
        }
    }

    /// The audio has a beat; false if it does not count.
    pub fn hear(&mut self, now: f64) -> bool {
        let counts = self.clock.as_ref().is_none_or(|clock| now - clock.last >= CLOCK_END);
        if counts {
            self.note(now);
        }
        counts
    }

    fn note(&mut self, now: f64) {
        self.length = self.last.map(|last| now - last).filter(|length| *length < BEAT_END);
        self.last = Some(now);
    }

    /// Whether another beat is to be expected.
    pub fn is_running(&self, now: f64) -> bool {
        self.last.is_some_and(|last| now - last < BEAT_END)
    }

    /// 1 at a beat, then falling to 0 until the next one is expected.
    pub fn position(&self, now: f64) -> f64 {
        self.last.map_or(0.0, |last| (1.0 - (now - last) / self.length.unwrap_or(USUAL)).clamp(0.0, 1.0))
    }

    /// Beats per minute.
    pub fn tempo(&self, now: f64) -> Option<f64> {
        self.length.filter(|_| self.is_running(now)).map(|length| 60.0 / length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tick at 120 beats per minute.
    const TICK: f64 = 0.5 / 24.0;

    #[test]
    fn a_midi_clock_has_a_beat_at_its_start_and_every_24_ticks() {
        let mut beat = Beat::default();
        // The clock ticks before it starts.
        assert_eq!((0..10).filter(|tick| beat.tick(1, f64::from(*tick) * TICK)).count(), 1);
        beat.start(1, 10.0 * TICK);
        let beats: Vec<u32> = (10..70).filter(|tick| beat.tick(1, f64::from(*tick) * TICK)).collect();
        assert_eq!(beats, [10, 34, 58]);
        assert!((beat.tempo(70.0 * TICK).expect("a tempo") - 120.0).abs() < 1e-6);
    }

    #[test]
    fn one_clock_is_followed_and_audio_counts_only_without_one() {
        let mut beat = Beat::default();
        let mut beats = 0;
        for tick in 0..48 {
            let now = f64::from(tick) * TICK;
            beats += u32::from(beat.tick(1, now)) + u32::from(beat.tick(2, now));
        }
        assert_eq!(beats, 2);
        assert!(!beat.hear(48.0 * TICK));
        beat.stop(2);
        assert!(beat.is_running(48.0 * TICK));
        beat.stop(1);
        assert!(!beat.is_running(48.0 * TICK) && beat.hear(49.0 * TICK));
        // The other port's clock goes on.
        assert!(beat.tick(2, 50.0 * TICK));
    }

    #[test]
    fn a_beat_falls_from_1_to_0_and_ends_without_another() {
        let mut beat = Beat::default();
        assert!(!beat.is_running(0.0) && beat.position(0.0) == 0.0 && beat.tempo(0.0).is_none());
        for now in [1.0, 2.0] {
            assert!(beat.hear(now));
        }
        assert_eq!([2.0, 2.25, 2.5, 3.5].map(|now| beat.position(now)), [1.0, 0.75, 0.5, 0.0]);
        assert_eq!(beat.tempo(2.5), Some(60.0));
        assert!(beat.is_running(3.9) && !beat.is_running(4.1) && beat.tempo(4.1).is_none());
    }
}
