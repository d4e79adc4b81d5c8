//! MIDI: control changes and the clock, from every port.

use super::engine::Event;
use super::mapping::{LAST_MIDI_CONTROL, Source};

/// Reads a message of a port.
fn read(port: u64, message: &[u8]) -> Option<Event> {
    match *message {
        [status @ 0xb0..=0xbf, control @ 0..=LAST_MIDI_CONTROL, value @ 0..=127] => {
            Some(Event::Control(Source::Midi { channel: status - 0xb0 + 1, control }, value.into()))
        }
        [0xf8] => Some(Event::Tick(port)),
        [0xfa] => Some(Event::Start(port)),
        [0xfc] => Some(Event::Stop(port)),
        _ => None,
    }
}

#[cfg(feature = "midi")]
mod ports {
    use std::collections::HashMap;
    use std::path::Path;
    use std::time::Duration;

    use midir::{Ignore, MidiInput, MidiInputConnection};

    use super::{Event, read};

    /// Where Linux has MIDI's sequencer. Without it, ALSA's library prints an error of its own.
    const SEQUENCER: &str = "/dev/snd/seq";

    /// Devices can be plugged in at any time.
    const INTERVAL: Duration = Duration::from_secs(2);

    /// A port that is open.
    struct Open {
        name: String,
        _connection: MidiInputConnection<()>,
    }

    /// Opens all ports, also those that come later, and passes their events to `receive` and their names to `tell` upon
    /// every change. It ends only with an error.
    pub fn follow(receive: impl Fn(Event) + Clone + Send + 'static, tell: impl Fn(Vec<String>)) -> String {
        if cfg!(target_os = "linux") && !Path::new(SEQUENCER).exists() {
            return format!("there is no {SEQUENCER}, which the kernel's module snd-seq makes");
        }
        let mut opened: HashMap<String, Open> = HashMap::new();
        let mut opened_ever = 0;
        let mut told = None;
        loop {
            let Ok(input) = MidiInput::new("studio") else { return "the MIDI sequencer cannot be opened".into() };
            let ports: HashMap<_, _> = input.ports().into_iter().map(|port| (port.id(), port)).collect();
            opened.retain(|id, _| ports.contains_key(id));
            for (id, port) in ports {
                if opened.contains_key(&id) {
                    continue;
                }
                // Each connection needs an input of its own. A port may be gone already.
                let (Ok(name), Ok(mut input)) = (input.port_name(&port), MidiInput::new("studio")) else { continue };
                input.ignore(Ignore::SysexAndActiveSense);
                let (receive, number) = (receive.clone(), opened_ever);
                let forward = move |_, message: &[u8], _: &mut ()| {
                    if let Some(event) = read(number, message) {
                        receive(event);
                    }
                };
                if let Ok(connection) = input.connect(&port, "control", forward, ()) {
                    opened.insert(id, Open { name, _connection: connection });
                    opened_ever += 1;
                }
            }
            let mut names: Vec<String> = opened.values().map(|open| open.name.clone()).collect();
            names.sort_unstable();
            if told.as_ref() != Some(&names) {
                told = Some(names.clone());
                tell(names);
            }
            std::thread::sleep(INTERVAL);
        }
    }
}

#[cfg(not(feature = "midi"))]
mod ports {
    use super::Event;

    /// Says that there is no MIDI.
    pub fn follow(_: impl Fn(Event) + Clone + Send + 'static, _: impl Fn(Vec<String>)) -> String {
        "this studio was built without MIDI".into()
    }
}

pub use ports::follow;

#[cfg(test)]
mod tests {
    use super::super::engine::Engine;
    use super::super::mapping::Mapping;
    use super::super::mapping::tests::mapping;
    use super::*;

    #[test]
    fn control_changes_and_the_clock_are_read_and_all_else_is_ignored() {
        // What a controller sends: a fader, a note, the clock, bank select, all notes off, and damaged messages.
        let messages: [(&[u8], Option<Event>); 14] = [
            (&[0xb0, 0x07, 0x40], Some(Event::Control(Source::Midi { channel: 1, control: 7 }, 64.0))),
            (&[0xbf, 0x77, 0x7f], Some(Event::Control(Source::Midi { channel: 16, control: 119 }, 127.0))),
            (&[0x90, 0x3c, 0x64], None),
            (&[0x80, 0x3c, 0x00], None),
            (&[0xfa], Some(Event::Start(3))),
            (&[0xf8], Some(Event::Tick(3))),
            (&[0xfc], Some(Event::Stop(3))),
            (&[0xfe], None),
            (&[0xb0, 0x7b, 0x00], None),
            (&[0xb0, 0x07], None),
            (&[0xb0, 0x07, 0x80], None),
            (&[0xb0, 0x07, 0x40, 0x41], None),
            (&[0xf0, 0x7e, 0x7f, 0x06, 0x01, 0xf7], None),
            (&[], None),
        ];
        for (message, event) in messages {
            assert_eq!(read(3, message), event, "{message:x?}");
        }
    }
    #[test]
    fn a_recorded_stream_moves_a_property_on_the_beat() {
        let volume = Source::Midi { channel: 1, control: 7 };
        let mapping = Mapping { source: volume, range: [0.0, 127.0], quantize: true, ..mapping("/") };
        let mut engine = Engine::default();
        engine.set(mapping);
        // The clock starts; between its ticks, 120 beats per minute, a fader rises.
        let mut values = Vec::new();
        engine.receive(read(0, &[0xfa]).expect("a start"), 0.0);
        for tick in 0..60_u8 {
            let now = f64::from(tick) / 48.0;
            for message in [&[0xf8][..], &[0xb0, 7, tick]] {
                engine.receive(read(0, message).expect("an event"), now);
                engine.advance(now, |_| 0.0, |_, value| values.push((tick, value)));
            }
        }
        assert_eq!(values, [(24, 23.0), (48, 47.0)]);
    }
}
