//! OSC over UDP. What cannot be read is ignored, without a word: anyone could fill the log.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use rosc::{OscPacket, OscType};

/// The rest of a larger packet is cut off. This also limits how deeply bundles can be nested.
const MAX_PACKET: usize = 4096;

/// Listens on an address, and passes each message's address and first number to `receive`. Returns the address, with
/// its port if the system chose it.
pub fn listen(address: SocketAddr, mut receive: impl FnMut(String, f64) + Send + 'static) -> io::Result<SocketAddr> {
    let socket = UdpSocket::bind(address)?;
    let address = socket.local_addr()?;
    std::thread::spawn(move || {
        let mut packet = [0; MAX_PACKET];
        loop {
            match socket.recv(&mut packet) {
                Ok(length) => read(&packet[..length], &mut receive),
                // An error would return at once, again and again.
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(100)),
            }
        }
    });
    Ok(address)
}

/// Passes the address and the first number of each of a packet's messages to `receive`.
pub fn read(packet: &[u8], receive: &mut impl FnMut(String, f64)) {
    if let Ok((_, packet)) = rosc::decoder::decode_udp(packet) {
        open(packet, receive);
    }
}

fn open(packet: OscPacket, receive: &mut impl FnMut(String, f64)) {
    match packet {
        OscPacket::Message(message) => {
            if let Some(number) = message.args.iter().find_map(number) {
                receive(message.addr, number);
            }
        }
        // A bundle's time is ignored: on stage, now is meant.
        OscPacket::Bundle(bundle) => bundle.content.into_iter().for_each(|packet| open(packet, receive)),
    }
}

fn number(argument: &OscType) -> Option<f64> {
    let number = match argument {
        OscType::Float(number) => f64::from(*number),
        OscType::Double(number) => *number,
        OscType::Int(number) => f64::from(*number),
        OscType::Long(number) => *number as f64,
        OscType::Bool(on) => f64::from(u8::from(*on)),
        _ => return None,
    };
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use rosc::{OscBundle, OscMessage, OscTime, encoder};

    use super::*;

    fn heard(packet: &[u8]) -> Vec<(String, f64)> {
        let mut heard = Vec::new();
        read(packet, &mut |address, number| heard.push((address, number)));
        heard
    }

    fn message(address: &str, args: Vec<OscType>) -> OscPacket {
        OscPacket::Message(OscMessage { addr: address.into(), args })
    }

    fn bundle(content: Vec<OscPacket>) -> OscPacket {
        OscPacket::Bundle(OscBundle { timetag: OscTime { seconds: 0, fractional: 1 }, content })
    }

    #[test]
    fn the_first_number_of_each_message_counts() {
        let packet = bundle(vec![
            message("/fader/1", vec![OscType::Float(0.25), OscType::Float(0.75)]),
            bundle(vec![message("/named", vec![OscType::String("volume".into()), OscType::Int(3)])]),
            message("/button", vec![OscType::Bool(true)]),
            message("/nothing", vec![]),
            message("/text", vec![OscType::String("a".into())]),
            message("/none", vec![OscType::Float(f32::NAN)]),
        ]);
        let expected = [("/fader/1", 0.25), ("/named", 3.0), ("/button", 1.0)];
        let expected = expected.map(|(address, number)| (address.to_owned(), number));
        assert_eq!(heard(&encoder::encode(&packet).expect("encoded")), expected);
    }

    #[test]
    fn packets_that_are_cut_off_or_damaged_do_nothing() {
        let whole = encoder::encode(&message("/fader/1", vec![OscType::Float(0.25)])).expect("encoded");
        for length in 0..whole.len() {
            assert_eq!(heard(&whole[..length]), [], "{length} bytes");
        }
        for packet in
            [&b"#bundle\0"[..], b"/a\0\0,[[[[\0\0\0", b"/a\0\0,]\0\0", b"/\xff\0\0,f\0\0\0\0\0\0", &[0xff; 4096]]
        {
            assert_eq!(heard(packet), [], "{packet:?}");
        }
    }

    #[test]
    fn deep_nesting_does_not_exhaust_the_stack() {
        // Each bundle holds the next one: its name, its time, and the size of what follows.
        let mut bundles = Vec::new();
        while bundles.len() + 20 <= MAX_PACKET {
            bundles.extend_from_slice(b"#bundle\0\0\0\0\0\0\0\0\x01");
            let rest = u32::try_from(MAX_PACKET - bundles.len() - 4).expect("a small number");
            bundles.extend_from_slice(&rest.to_be_bytes());
        }
        bundles.resize(MAX_PACKET, 0);
        assert_eq!(heard(&bundles), []);
        let arrays = [&b"/a\0\0,"[..], &[b'['; 2000], &[b']'; 2000], b"\0\0\0\0"].concat();
        assert_eq!(heard(&arrays), []);
    }
}
