//! The engine's C interface: any parameters and layers, masks, and pictures of any size, depth and stride.
#![no_main]
#![expect(unsafe_code, reason = "calls a C interface")]

use std::ffi::{CString, c_void};
use std::ptr::{null, null_mut};

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use style_engine_interface::{Camera, Mask, Parameters, Picture, Progress, Status, Style, Table};

// Links the engine, of which only the C interface is used.
use style_engine as _;

unsafe extern "C" {
    // The type is style_engine_interface::EntryPoint.
    fn style_engine_table() -> *const Table;
}

/// Rows of RGBA pixels. With 16 bits, the memory ends with the last row's last pixel, so that accesses behind it are
/// found.
fn pixels(input: &mut Unstructured) -> Result<(Vec<u8>, Picture)> {
    let [width, height]: [u32; 2] = [input.int_in_range(1..=20)?, input.int_in_range(1..=20)?];
    let bits = *input.choose(&[8, 16, 0, 10])?;
    let row = width as usize * 8;
    let stride = row + input.int_in_range(0..=9)?;
    let memory = vec![input.arbitrary()?; stride * (height as usize - 1) + row];
    let picture = Picture { data: memory.as_ptr(), width, height, stride, bits };
    Ok((memory, picture))
}

fn parameters(input: &mut Unstructured) -> Result<Parameters> {
    let mut number = || -> Result<f64> { if input.ratio(1, 3)? { input.arbitrary() } else { Ok(-1.0) } };
    let (weights, rate) = ([number()?, number()?, number()?, number()?], number()?);
    let mut channels = [-1; Parameters::MAX_CHANNELS];
    channels[0] = input.int_in_range(-1..=70)?;
    let camera = Camera { zoom: input.arbitrary()?, rotate: input.arbitrary()?, ..Camera::STILL };
    let mut choice = || input.int_in_range(0..=6u32);
    let [recipe, optimizer, style_loss, warm_start, pooling, precision, original_colors, model_input] =
        [choice()?, choice()?, choice()?, choice()?, choice()?, choice()?, choice()?, choice()?];
    Ok(Parameters {
        recipe,
        optimizer,
        style_loss,
        warm_start,
        pooling,
        precision,
        original_colors,
        model_input,
        content_weight: weights[0],
        style_weight: weights[1],
        tv_weight: weights[2],
        temporal_weight: weights[3],
        learning_rate: rate,
        // Small numbers: many steps would only take longer.
        first_iterations: input.int_in_range(0..=3)?,
        iterations: input.int_in_range(0..=2)?,
        size: input.int_in_range(-1..=40)?,
        style_scale: input.arbitrary::<f64>()?.clamp(-1.0, 3.0),
        scene_threshold: input.arbitrary()?,
        seed: input.arbitrary()?,
        octaves: input.int_in_range(0..=3)?,
        octave_scale: input.arbitrary()?,
        jitter: input.int_in_range(0..=40)?,
        channels,
        camera,
    })
}

unsafe extern "C" fn proceed(_: *mut c_void, _: *const Progress) -> bool {
    true
}

fn session(input: &mut Unstructured) -> Result<()> {
    let parameters = parameters(input)?;
    let layers: [String; 2] = if input.ratio(1, 2)? { input.arbitrary()? } else { Default::default() };
    let [content, style] = layers.map(|text| CString::new(stylefilter_fuzz::text(&text)).expect("no NUL"));
    let (_memory, picture) = pixels(input)?;
    let weight = input.arbitrary()?;
    let limit = *input.choose(&[0.0, 1.0, f64::NAN])?;
    let values: [f32; 6] = input.arbitrary()?;
    let mask = Mask { data: values.as_ptr(), width: 2, height: 3 };
    let masks = vec![mask; input.int_in_range(0..=2)?];
    let frames = [pixels(input)?, pixels(input)?];
    // SAFETY: all pointers are to locals of this function, each picture's rows are inside its memory, and the session
    // is destroyed once and not used afterwards.
    unsafe {
        let table = &*style_engine_table();
        let mut session = null_mut();
        assert_eq!((table.create)(null(), null(), 0, false, c"cpu".as_ptr(), &mut session), Status::OK);
        (table.set_styles)(session, &Style { picture, id: 0, weight, region: 0 }, 1);
        (table.set_masks)(session, masks.as_ptr(), masks.len());
        (table.set_parameters)(session, &parameters, content.as_ptr(), style.as_ptr());
        for (memory, frame) in &frames {
            let mut result = memory.clone();
            (table.stylize)(session, frame, result.as_mut_ptr(), limit, 0.0, proceed, null_mut());
            (table.statistics)(session, &mut 0);
        }
        (table.destroy)(session);
    }
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    // An error only means that the input ended early.
    let _ = session(&mut Unstructured::new(bytes));
});
