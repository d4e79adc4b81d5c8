//! The filters that are compared: convfilter's settings, and the reference for them.

use crate::blur::{box_blur, gaussian_blur, unsharp_mask};
use crate::convolution::{Kernel, Rounding, fixed, fixed_names};
use crate::plane::{Border, Outside, Plane};
use crate::rank::{mode, rank};

/// Settings as for gst-launch-1.0, and the reference for one component.
pub struct Case {
    pub settings: String,
    pub filter: Box<dyn Fn(&Plane) -> Plane>,
}

fn case(settings: impl Into<String>, filter: impl Fn(&Plane) -> Plane + 'static) -> Case {
    Case { settings: settings.into(), filter: Box::new(filter) }
}

const BORDERS: [(&str, Border); 4] =
    [("copy", Border::Copy), ("clamp", Border::Clamp), ("zero", Border::Zero), ("mirror", Border::Mirror)];

/// Pillow's fixed kernels.
pub fn fixed_kernels() -> Vec<Case> {
    let filter = |name| case(format!("filter={name}"), move |plane| fixed(name).apply(plane, Border::Copy));
    fixed_names().map(filter).collect()
}

/// Kernels of every kind: whole numbers and fractions, odd and even sides, all borders, roundings and orders.
pub fn kernels() -> Vec<Case> {
    let whole = |rows: &[&[i8]]| Kernel::new(rows.iter().map(|row| row.iter().map(|&k| k.into()).collect()).collect());
    let fractions = |width: usize, height: usize| {
        let number = |index: usize| ((index * 7919 % 2001) as f64 - 700.0) / 1000.0;
        Kernel::new((0..height).map(|y| (0..width).map(|x| number(y * width + x + 1)).collect()).collect())
    };
    let kernels = [
        Kernel { scale: -0.7, offset: 200.3, is_bottom_up: true, ..fractions(3, 3) },
        Kernel { scale: 1.9, offset: -31.5, ..fractions(5, 5) },
        Kernel { scale: 7.0, offset: 9.0, ..whole(&[&[1, -2], &[3, 4]]) },
        Kernel { is_bottom_up: true, ..whole(&[&[1, 2, 3], &[0, 5, 0], &[2, -1, 1], &[1, 1, 4]]) },
        Kernel { scale: -3.0, offset: 255.0, ..whole(&[&[1, 2, 3, 1, 2, 3]]) },
        Kernel { scale: 2.5, ..fractions(1, 7) },
        Kernel { scale: 12.0, is_bottom_up: true, ..fractions(10, 8) },
        whole(&[&[1, 2, 1], &[2, 4, 2], &[1, 2, 1]]),
        // Columns times rows; only the first one's sums are exact with 16 bits, too.
        whole(&[&[0; 3], &[2, -1, 3], &[-2, 1, -3], &[10, -5, 15]]),
        Kernel { scale: 64.0, ..whole(&[&[0; 5], &[2, -4, 6, 3, 2], &[-2, 4, -6, -3, -2], &[10, -20, 30, 15, 10]]) },
    ];
    let mut cases = Vec::new();
    for (kernel, (border_name, border)) in kernels.iter().flat_map(|kernel| BORDERS.map(|border| (kernel, border))) {
        for (rounding_name, rounding) in [("half-up", Rounding::HalfUp), ("down", Rounding::Down)] {
            let kernel = Kernel { rounding, ..kernel.clone() };
            let order = if kernel.is_bottom_up { "bottom-up" } else { "top-down" };
            let (text, scale, offset) = (kernel.text(), kernel.scale, kernel.offset);
            let settings = format!(
                "filter=kernel kernel=\"{text}\" scale={scale:?} offset={offset:?} kernel-order={order} \
                 border={border_name} rounding={rounding_name}"
            );
            cases.push(case(settings, move |plane| kernel.apply(plane, border)));
        }
    }
    cases
}

/// Box blurs and Gaussian blurs with whole and fractional radii.
pub fn blurs() -> Vec<Case> {
    let radii = [[1.0, 1.0], [0.4, 0.4], [3.7, 1.2], [0.0, 4.0], [13.0, 2.0], [20.0, 20.5]];
    let mut cases = Vec::new();
    for [x, y] in radii {
        let radii = format!("radius={x:?} radius-y={y:?}");
        cases.push(case(format!("filter=box-blur {radii}"), move |plane| box_blur(plane, [x, y], Border::Clamp)));
        let gaussian = move |plane: &Plane| gaussian_blur(plane, [x, y], Border::Clamp);
        cases.push(case(format!("filter=gaussian-blur {radii}"), gaussian));
    }
    for (name, border) in BORDERS {
        let settings = format!("filter=box-blur radius=2.3 radius-y=1 border={name}");
        cases.push(case(settings, move |plane| box_blur(plane, [2.3, 1.0], border)));
        let settings = format!("filter=gaussian-blur radius=1.5 border={name}");
        cases.push(case(settings, move |plane| gaussian_blur(plane, [1.5, 1.5], border)));
    }
    cases
}

pub fn unsharp_masks() -> Vec<Case> {
    let settings = [(2.0, 150, 3), (0.7, 300, 0), (5.0, -80, 10), (0.0, 150, 3), (3.0, 1000, -1)];
    let clamped = settings.map(|settings| (settings, BORDERS[1]));
    let bordered = BORDERS.map(|border| ((1.3, 120, 5), border));
    let masks = clamped.into_iter().chain(bordered).map(|((sigma, percent, threshold), (name, border))| {
        let settings =
            format!("filter=unsharp-mask radius={sigma:?} percent={percent} threshold={threshold} border={name}");
        case(settings, move |plane| unsharp_mask(plane, [sigma; 2], percent, threshold, border))
    });
    masks.collect()
}

/// Rank filters of small and large windows, with the names that some ranks have.
pub fn ranks() -> Vec<Case> {
    let ranks =
        [(1, 0), (3, 0), (3, 1), (3, 4), (3, 8), (5, 7), (5, 12), (7, 9), (13, 84), (15, 0), (15, 100), (15, 224)];
    let mut cases = Vec::new();
    for (size, index) in ranks {
        let settings = format!("filter=rank size={size} rank={index}");
        cases.push(case(settings, move |plane| rank(plane, size, index, Border::Clamp)));
    }
    for (name, index) in [("min", 0), ("median", 40), ("max", 80)] {
        let settings = format!("filter={name} size=9");
        cases.push(case(settings, move |plane| rank(plane, 9, index, Border::Clamp)));
    }
    for ((name, border), (size, index)) in BORDERS.iter().flat_map(|&b| [(5, 6), (3, 4), (5, 24)].map(|rank| (b, rank)))
    {
        let settings = format!("filter=rank size={size} rank={index} border={name}");
        cases.push(case(settings, move |plane| rank(plane, size, index, border)));
    }
    cases
}

pub fn modes() -> Vec<Case> {
    let sizes =
        [1, 3, 4, 5, 9].map(|size| case(format!("filter=mode size={size}"), move |plane| mode(plane, size, None)));
    let borders = BORDERS.into_iter().flat_map(|(name, border)| {
        [3, 7].map(|size| {
            case(format!("filter=mode size={size} border={name}"), move |plane| mode(plane, size, Some(border)))
        })
    });
    sizes.into_iter().chain(borders).collect()
}

/// Filters one after the other.
pub fn chains() -> Vec<Case> {
    let settings = "chain=\"median, size=5; unsharp-mask, percent=200, radius=1.5; emboss, border=mirror; mode\"";
    vec![case(settings, |plane| {
        let median = rank(plane, 5, 12, Border::Clamp);
        let sharpened = unsharp_mask(&median, [1.5; 2], 200, 3, Border::Clamp);
        mode(&fixed("emboss").apply(&sharpened, Border::Mirror), 3, None)
    })]
}

/// Shaders of the user's own, which a GPU runs only.
pub fn shaders() -> Vec<Case> {
    let shader = |border: &str, value: &str| {
        let function = format!("fn shade(component: u32, x: i32, y: i32) -> f32 {{ return {value}; }}");
        format!("filter=shader border={border} shader=\"{function}\"")
    };
    let moved = |outside| move |plane: &Plane| plane.with(|x, y| plane.read(x - 3, y + 2, outside).unwrap_or(0));
    vec![
        case(shader("auto", "1.0 - sample(component, x, y)"), |plane| plane.with(|x, y| plane.max - plane.at(x, y))),
        case(shader("clamp", "sample(component, x - 3, y + 2)"), moved(Outside::Nearest)),
        case(shader("zero", "sample(component, x - 3, y + 2)"), moved(Outside::Zero)),
        case(shader("mirror", "sample(component, x - 3, y + 2)"), moved(Outside::Mirrored)),
    ]
}
