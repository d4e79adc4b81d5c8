//! The compute shaders.

/// An entry point of a shader.
pub(super) struct Shader {
    pub(super) name: &'static str,
    pub(super) source: &'static str,
    pub(super) entry_point: &'static str,
    /// The pipeline-overridable constants, in addition to `wide`.
    pub(super) constants: &'static [&'static str],
    /// The invocations of a workgroup, along rows and columns.
    pub(super) workgroup: [u32; 2],
    /// The vec4s and the rows that one invocation computes.
    block: [u32; 2],
}

impl Shader {
    /// The vec4s and the rows that one workgroup computes.
    pub(super) fn tile(&self) -> [u32; 2] {
        let ([x, y], [vec4s, rows]) = (self.workgroup, self.block);
        [x.saturating_mul(vec4s), y.saturating_mul(rows)]
    }
}

/// The shader in `shaders/$name.wgsl`.
macro_rules! shader {
    ($name:literal, $entry_point:literal, $constants:expr, $workgroup:expr, $block:expr) => {
        Shader {
            name: $name,
            source: concat!(
                include_str!("../../shaders/frame.wgsl"),
                include_str!(concat!("../../shaders/", $name, ".wgsl"))
            ),
            entry_point: $entry_point,
            constants: &$constants,
            workgroup: $workgroup,
            block: $block,
        }
    };
}

/// The samples of a row, or of a column, that one invocation of box_blur.wgsl computes.
pub(super) const SEGMENT: u32 = 32;

pub(super) static UNPACK: Shader = shader!("unpack", "main", ["group_size", "alpha_lane"], [32, 4], [1, 1]);
pub(super) static PACK: Shader = shader!("pack", "main", ["group_size", "alpha_lane"], [32, 4], [1, 1]);
pub(super) static EXTEND: Shader = shader!("extend", "main", [], [64, 1], [1, 1]);
pub(super) static CONVOLVE: Shader = shader!("convolve", "main", ["cols", "rows"], [32, 4], [1, 1]);
pub(super) static BOX_HORIZONTAL: Shader = shader!("box_blur", "horizontal", [], [8, 16], [SEGMENT / 4, 1]);
pub(super) static BOX_VERTICAL: Shader = shader!("box_blur", "vertical", [], [64, 2], [1, SEGMENT]);
pub(super) static RANK: Shader = shader!("rank", "main", ["size"], [32, 4], [1, 1]);
pub(super) static MIN_MAX_HORIZONTAL: Shader = shader!("min_max", "horizontal", ["size"], [32, 4], [1, 1]);
pub(super) static MIN_MAX_VERTICAL: Shader = shader!("min_max", "vertical", ["size"], [32, 4], [1, 1]);
pub(super) static MODE: Shader = shader!("mode", "main", ["size"], [32, 4], [1, 1]);
pub(super) static UNSHARP: Shader = shader!("unsharp", "main", [], [32, 4], [1, 1]);

/// The shaders' bindings, by number: those of frame.wgsl, then that of user.wgsl.
pub(super) const BINDINGS: [wgpu::BufferBindingType; 6] = [
    wgpu::BufferBindingType::Uniform,
    wgpu::BufferBindingType::Storage { read_only: true },
    wgpu::BufferBindingType::Storage { read_only: true },
    wgpu::BufferBindingType::Storage { read_only: false },
    wgpu::BufferBindingType::Storage { read_only: true },
    wgpu::BufferBindingType::Storage { read_only: false },
];

/// The vec4s and the rows that one workgroup of shade.wgsl computes: one for each invocation.
pub(super) const USER_TILE: [u32; 2] = [32, 4];
