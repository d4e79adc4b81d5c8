//! Tests that the memory of tensors is reused. This test has a process of its own, since it measures the whole process.

mod common;

use common::picture;
use style_engine::memory;
use style_engine::session::Session;
use style_engine::styles::Style;

#[test]
fn following_frames_allocate_no_further_memory() {
    let scene = picture(1, 144, 256 + 120);
    let mut session = Session::new(None, "cpu").unwrap();
    session.set_styles(&[Style { picture: picture(9, 50, 70), weight: 1.0, region: 0 }]).unwrap();
    let mut show = |frame: i64| {
        let _painted = session.paint(&scene.narrow(3, 3 * frame, 256), None, &mut |_| true).unwrap();
    };
    (0..20).for_each(&mut show);
    let before = memory::taken();
    assert!(before > 0, "the first frames allocate memory");
    (20..40).for_each(&mut show);
    assert_eq!(memory::taken(), before);
}
