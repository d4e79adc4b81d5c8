//! Checks with naga, wgpu's compiler, that the shaders agree with their descriptions in Rust. This needs no driver.

use std::collections::BTreeSet;
use std::mem::offset_of;

use wgpu::BufferBindingType;
use wgpu::naga::back::pipeline_constants::process_overrides;
use wgpu::naga::front::wgsl;
use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};
use wgpu::naga::{AddressSpace, Expression, Literal, Module, ShaderStage, StorageAccess, TypeInner};

use super::shaders::*;
use super::uniforms::*;
use super::user;
use crate::filters::BorderMode;

static SHADERS: [&Shader; 11] = [
    &UNPACK,
    &PACK,
    &EXTEND,
    &CONVOLVE,
    &BOX_HORIZONTAL,
    &BOX_VERTICAL,
    &RANK,
    &MIN_MAX_HORIZONTAL,
    &MIN_MAX_VERTICAL,
    &MODE,
    &UNSHARP,
];

/// The names of the bindings, in the order in which a dispatch binds its buffers.
const NAMES: [&str; BINDINGS.len()] = ["frame", "base", "src", "dst", "params", "user_state"];

fn parsed(source: &str) -> Module {
    wgsl::parse_str(source).unwrap_or_else(|error| panic!("{}", error.emit_to_string(source)))
}

/// A user's shader with loops, after the insertion of loop guards.
fn user_module() -> Module {
    user::module(include_str!("../../examples/shaders/kuwahara.wgsl")).unwrap()
}

/// Compiles an entry point for samples of one byte and of two bytes, as wgpu does before it calls the driver.
fn check_entry_point(module: &Module, name: &str, constants: &[&str], [width, height]: [u32; 2]) {
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(module).expect(name);
    let declared: BTreeSet<_> = module.overrides.iter().filter_map(|(_, constant)| constant.name.as_deref()).collect();
    assert_eq!(declared, constants.iter().copied().chain(["wide"]).collect(), "{name}: its constants");
    for wide in [0.0, 1.0] {
        let set = constants.iter().map(|&constant| (constant, 3.0)).chain([("wide", wide)]);
        let set = set.map(|(constant, value)| (constant.to_owned(), value)).collect();
        process_overrides(module, &info, Some((ShaderStage::Compute, name)), &set).expect(name);
    }
    let entry_point = module.entry_points.iter().find(|entry_point| entry_point.name == name).expect(name);
    assert_eq!(entry_point.workgroup_size, [width, height, 1], "{name}: its workgroup");
}

#[test]
fn every_shader_is_valid() {
    for shader in SHADERS {
        println!("{}", shader.name);
        check_entry_point(&parsed(shader.source), shader.entry_point, shader.constants, shader.workgroup);
    }
    check_entry_point(&user_module(), "main", &[], USER_TILE);
}

#[test]
fn every_file_is_checked() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders")).unwrap();
    let files: BTreeSet<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let checked = SHADERS.iter().map(|shader| shader.name).chain(["frame", "shade", "user"]);
    assert_eq!(files, checked.map(|name| format!("{name}.wgsl")).collect());
}

#[test]
fn bindings_agree() {
    let bindings = |module: &Module| -> BTreeSet<_> {
        let globals = module.global_variables.iter().filter_map(|(_, global)| Some((global.binding?, global)));
        let binding = |(at, global): (wgpu::naga::ResourceBinding, &wgpu::naga::GlobalVariable)| {
            let kind = match global.space {
                AddressSpace::Uniform => BufferBindingType::Uniform,
                AddressSpace::Storage { access } => {
                    BufferBindingType::Storage { read_only: !access.contains(StorageAccess::STORE) }
                }
                other => panic!("{other:?}"),
            };
            (at.group, at.binding as usize, global.name.clone().unwrap(), format!("{kind:?}"))
        };
        globals.map(binding).collect()
    };
    let expected: Vec<_> = (0..)
        .zip(NAMES.iter().zip(BINDINGS))
        .map(|(at, (name, kind))| (0, at, name.to_string(), format!("{kind:?}")))
        .collect();
    assert_eq!(bindings(&user_module()), expected.iter().cloned().collect());
    for shader in SHADERS {
        assert_eq!(bindings(&parsed(shader.source)), expected[..5].iter().cloned().collect(), "{}", shader.name);
    }
}

/// The name and offset of each field, and the size of the struct.
type StructLayout = (Vec<(String, usize)>, usize);

fn in_shader(module: &Module, name: &str) -> StructLayout {
    let (_, found) = module.types.iter().find(|(_, found)| found.name.as_deref() == Some(name)).expect(name);
    let TypeInner::Struct { members, span } = &found.inner else { panic!("{name} is not a struct") };
    let fields = members.iter().map(|member| (member.name.clone().unwrap(), member.offset as usize));
    (fields.collect(), *span as usize)
}

macro_rules! in_rust {
    ($name:ident: $($field:ident)+) => {
        (vec![$((stringify!($field).to_owned(), offset_of!($name, $field))),+], size_of::<$name>())
    };
}

#[test]
fn struct_layouts_agree() {
    let expected: [(&str, StructLayout); 4] = [
        ("Component", in_rust!(Component: frame_step offset pitch width height vec4s unused)),
        ("Plane", in_rust!(Plane: offset pitch height group_size channel_map)),
        ("Frame", in_rust!(Frame: components planes max_value mid_value shift zero)),
        ("UserState", in_rust!(UserState: runaway seconds)),
    ];
    let module = user_module();
    for (name, layout) in expected {
        assert_eq!(in_shader(&module, name), layout, "{name}");
    }
}

#[test]
fn constants_agree() {
    let value = |module: &Module, name: &str| {
        let constant = module.constants.iter().find(|(_, constant)| constant.name.as_deref() == Some(name));
        match module.global_expressions[constant.expect(name).1.init] {
            Expression::Literal(Literal::U32(value)) => value,
            ref other => panic!("{name}: {other:?}"),
        }
    };
    let module = user_module();
    for (name, expected) in [
        ("NO_ALPHA", NO_ALPHA),
        ("CHANNEL_KEEP", CHANNEL_KEEP),
        ("CHANNEL_NEUTRAL", CHANNEL_NEUTRAL),
        ("CHANNEL_FILTER", CHANNEL_FILTER),
        ("BORDER_ZERO", BorderMode::Zero as u32),
        ("BORDER_MIRROR", BorderMode::Mirror as u32),
        ("MAX_LOOP_ITERATIONS", user::MAX_LOOP_ITERATIONS),
    ] {
        assert_eq!(value(&module, name), expected, "{name}");
    }
    assert_eq!(value(&parsed(BOX_VERTICAL.source), "SEGMENT"), SEGMENT);
}
