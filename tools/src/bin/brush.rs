//! Draws the fine detail of a style's brush over a painted film, in cells that ride on the optical flow, and prints a
//! line of JSON for each frame; for `scripts/bench brush`, which explains the files and measures the result.
//!
//! `brush WIDTH HEIGHT STYLE_WIDTH STYLE_HEIGHT FILES [NAME=VALUE ...]`: the files `FILES-NAME.raw` have 32-bit floats
//! in rows, without headers:
//!
//! - `detail`: the style's detail, RGB, at the full size;
//! - `features`: each painted frame's features, one for each `SPACING` pixels of the full size, and `style-features`,
//!   the style's. They have length 1, so that their product is the cosine;
//! - `nearest`, `cosines`: the index of the style's nearest feature, and the cosine, for each of `features`;
//! - `back`: for each frame but the first, the flow from the last frame to it, x and y for each pixel;
//! - `seen`: whether each pixel of the last frame is still seen in the frame, 1 or 0.
//!
//! The detail of each frame, RGB, is written to `result`. The settings are fields of [`Settings`].

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;
type Point = [f32; 2];

/// The distance of features, in pixels of the full size.
const SPACING: usize = 6;
/// The number of times that cells are added to the first lattice where it has holes.
const FILLS: usize = 4;
/// The share of the cells that end, in a frame, of those in places that are too dense.
const THINNED: f32 = 0.2;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [width, height, style_width, style_height, files, options @ ..] = arguments.as_slice() else {
        return Err("usage: see the top of tools/src/bin/brush.rs".into());
    };
    let size = [width.parse()?, height.parse()?];
    let style_size = [style_width.parse()?, style_height.parse()?];
    let file = |name: &str| format!("{files}-{name}.raw");
    let style = Style {
        detail: Picture { size: style_size, values: floats(&file("detail"))?.as_chunks().0.to_vec() },
        features: floats(&file("style-features"))?,
    };
    let [features, nearest, cosines, back, seen] =
        ["features", "nearest", "cosines", "back", "seen"].map(|name| floats(&file(name)));
    let (features, nearest, cosines, back, seen) = (features?, nearest?, cosines?, back?, seen?);

    let positions = (size[0] / SPACING) * (size[1] / SPACING);
    let channels = features.len() / nearest.len();
    let pixels = size[0] * size[1];
    let mut brush = Brush::new(size, &style, Settings::new(options)?);
    let mut result = fs::File::create(file("result"))?;
    for frame in 0..nearest.len() / positions {
        let found = Found {
            features: part(&features, frame, positions * channels),
            nearest: part(&nearest, frame, positions),
            cosines: part(&cosines, frame, positions),
            columns: size[0] / SPACING,
            rows: size[1] / SPACING,
        };
        let motion = frame.checked_sub(1).map(|last| Motion {
            back: Picture { size, values: part(&back, last, 2 * pixels).as_chunks().0.to_vec() },
            seen: part(&seen, last, pixels),
        });
        let start = Instant::now();
        let counts = brush.follow(&found, motion.as_ref());
        let drawn = brush.draw();
        let ms = start.elapsed().as_secs_f64() * 1e3;
        let bytes: Vec<u8> = drawn.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
        result.write_all(&bytes)?;
        let Counts { born, covered, crowded, matched } = counts;
        println!(
            "{{\"cells\": {}, \"born\": {born}, \"covered\": {covered}, \"crowded\": {crowded}, \
             \"matched\": {matched}, \"ms\": {ms:.1}}}",
            brush.cells.len()
        );
    }
    Ok(())
}

/// What is varied.
struct Settings {
    /// The distance of cells, in pixels.
    cell: f32,
    /// Windows are (1 - (distance / reach)^2)^hardness, with a reach of 1.25 cells.
    hardness: i32,
    /// A cell takes a new match if the best cosine is larger than that of its own match by more than this.
    keep: f32,
    /// The number of frames in which a cell appears and disappears.
    fade: f32,
    /// The largest offset of a new cell from the lattice, in cells.
    jitter: f32,
    /// A new cell is added where the density is lower than `sparse`; cells end where it is higher than `dense`. In a
    /// square lattice it is between 1.2 and 1.5.
    sparse: f32,
    dense: f32,
    /// Whether cells are stretched, sheared and turned as the flow is.
    bends: bool,
    /// A cell is renewed if an element of its matrix has changed by more than this.
    bent: f32,
    /// Whether cells ride on the flow; otherwise they stay, and are matched anew in each frame.
    rides: bool,
    /// How detail is read between pixels.
    reading: Reading,
    /// Whether blended cells get the contrast of one cell.
    contrast: bool,
}

#[derive(Clone, Copy)]
enum Reading {
    Nearest,
    Bilinear,
    Bicubic,
}

impl Settings {
    fn new(options: &[String]) -> Outcome<Self> {
        let options: HashMap<&str, &str> = options.iter().filter_map(|option| option.split_once('=')).collect();
        let number = |name: &str, default: f32| options.get(name).map_or(Ok(default), |text| text.parse());
        Ok(Self {
            cell: number("cell", 6.0)?,
            hardness: number("hardness", 8.0)? as i32,
            keep: number("keep", 0.2)?,
            fade: number("fade", 6.0)?,
            jitter: number("jitter", 0.3)?,
            sparse: number("sparse", 0.5)?,
            dense: number("dense", 2.0)?,
            bends: number("bends", 0.0)? != 0.0,
            bent: number("bent", 0.35)?,
            rides: number("rides", 1.0)? != 0.0,
            reading: match options.get("reading") {
                Some(&"nearest") => Reading::Nearest,
                Some(&"bilinear") => Reading::Bilinear,
                _ => Reading::Bicubic,
            },
            contrast: number("contrast", 1.0)? != 0.0,
        })
    }
}

struct Picture<T> {
    /// Width and height.
    size: [usize; 2],
    values: Vec<T>,
}

impl<T: Copy> Picture<T> {
    /// The value at a position, or at the nearest one inside.
    fn at(&self, x: isize, y: isize) -> T {
        let inside = |at: isize, size: usize| at.clamp(0, size as isize - 1) as usize;
        self.values[inside(y, self.size[1]) * self.size[0] + inside(x, self.size[0])]
    }
}

impl Picture<Point> {
    fn bilinear(&self, [x, y]: Point) -> Point {
        let (left, top) = (x.floor(), y.floor());
        let (fx, fy) = (x - left, y - top);
        let at = |dx, dy| self.at(left as isize + dx, top as isize + dy);
        let [a, b, c, d] = [at(0, 0), at(1, 0), at(0, 1), at(1, 1)];
        std::array::from_fn(|i| (a[i] * (1.0 - fx) + b[i] * fx) * (1.0 - fy) + (c[i] * (1.0 - fx) + d[i] * fx) * fy)
    }
}

struct Style {
    detail: Picture<[f32; 3]>,
    features: Vec<f32>,
}

/// The features of a frame and their nearest ones of the style.
struct Found<'a> {
    features: &'a [f32],
    nearest: &'a [f32],
    cosines: &'a [f32],
    columns: usize,
    rows: usize,
}

struct Motion<'a> {
    back: Picture<Point>,
    seen: &'a [f32],
}

#[derive(Clone, Copy)]
struct Cell {
    /// Its place in the frame, which may be a little outside.
    place: Point,
    /// The place in the style that it shows.
    source: Point,
    /// From offsets in the frame to offsets in the style: rows of a matrix.
    matrix: [Point; 2],
    /// Its strength in 0..1.
    weight: f32,
    ends: bool,
}

impl Cell {
    fn is_bent(&self, limit: f32) -> bool {
        let [[a, b], [c, d]] = self.matrix;
        [a - 1.0, b, c, d - 1.0].iter().any(|change| change.abs() > limit)
    }
}

impl Motion<'_> {
    /// The matrix by which offsets around a place change, measured over twice this distance.
    fn stretch(&self, [x, y]: Point, distance: f32) -> [Point; 2] {
        let slope = |a: Point, b: Point, part: usize| (b[part] - a[part]) / (2.0 * distance);
        let [left, right] = [-distance, distance].map(|by| self.back.bilinear([x + by, y]));
        let [above, below] = [-distance, distance].map(|by| self.back.bilinear([x, y + by]));
        [[1.0 + slope(left, right, 0), slope(above, below, 0)], [slope(left, right, 1), 1.0 + slope(above, below, 1)]]
    }
}

/// What happened to cells in a frame.
#[derive(Default)]
struct Counts {
    /// Cells added where there were few.
    born: usize,
    /// Cells removed because something covers them.
    covered: usize,
    /// Cells that end because there are too many.
    crowded: usize,
    /// Cells that took a new match.
    matched: usize,
}

/// The density of cells in the frame and in a margin around it.
struct Density {
    margin: usize,
    picture: Picture<f32>,
}

impl Density {
    fn at(&self, place: Point) -> f32 {
        let [x, y] = place.map(|at| at.round() as isize + self.margin as isize);
        self.picture.at(x, y)
    }
}

struct Brush<'a> {
    size: [usize; 2],
    style: &'a Style,
    settings: Settings,
    cells: Vec<Cell>,
    /// The first frame's places.
    first: Vec<Point>,
    random: u64,
}

impl<'a> Brush<'a> {
    fn new(size: [usize; 2], style: &'a Style, settings: Settings) -> Self {
        let mut brush = Self { size, style, settings, cells: Vec::new(), first: Vec::new(), random: 1 };
        brush.first = brush.lattice();
        for _ in 0..FILLS {
            let density = brush.density(brush.first.iter().copied());
            let holes = brush.holes(&density);
            brush.first.extend(holes);
        }
        brush
    }

    fn reach(&self) -> f32 {
        1.25 * self.settings.cell
    }

    /// The number of pixels around the frame in which there are cells, too.
    fn margin(&self) -> usize {
        self.reach().ceil() as usize + 1
    }

    /// A number in 0..1 (xorshift64*).
    fn uniform(&mut self) -> f32 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f32 / (1 << 24) as f32
    }

    /// A lattice of places, each moved at random.
    fn lattice(&mut self) -> Vec<Point> {
        let (cell, margin) = (self.settings.cell, self.margin() as f32);
        let [columns, rows] = self.size.map(|side| ((side as f32 + 2.0 * margin) / cell).ceil() as usize);
        let jitter = 2.0 * self.settings.jitter;
        let mut place = |index: usize| (index as f32 + 0.5 + jitter * (self.uniform() - 0.5)) * cell - margin;
        (0..rows * columns).map(|index| [place(index % columns), place(index / columns)]).collect()
    }

    /// Moves the cells to the next frame. Without motion, there is no earlier frame.
    fn follow(&mut self, found: &Found, motion: Option<&Motion>) -> Counts {
        let mut counts = Counts::default();
        let Some(motion) = motion.filter(|_| self.settings.rides) else {
            let first = self.first.iter().map(|&place| self.cell(place, 1.0, found)).collect();
            self.cells = first;
            return counts;
        };
        let step = 1.0 / self.settings.fade;
        let (size, margin) = (self.size, self.margin() as f32);
        let (bends, distance) = (self.settings.bends, self.settings.cell);
        self.cells.retain_mut(|cell| {
            let [x, y] = cell.place.map(|at| at.round() as isize);
            let is_inside = (0..size[0] as isize).contains(&x) && (0..size[1] as isize).contains(&y);
            let is_covered = is_inside && motion.seen[y as usize * size[0] + x as usize] == 0.0;
            if bends {
                cell.matrix = product(cell.matrix, inverse(motion.stretch(cell.place, 0.5 * distance)));
            }
            let [dx, dy] = motion.back.bilinear(cell.place);
            cell.place = [cell.place[0] + dx, cell.place[1] + dy];
            cell.weight = if cell.ends { cell.weight - step } else { (cell.weight + step).min(1.0) };
            counts.covered += usize::from(is_covered);
            let is_near = (0..2).all(|i| cell.place[i] > -margin && cell.place[i] < size[i] as f32 - 1.0 + margin);
            is_near && !is_covered && cell.weight > 1e-6
        });
        for index in 0..self.cells.len() {
            let cell = self.cells[index];
            if !cell.ends && cell.weight == 1.0 && (cell.is_bent(self.settings.bent) || self.is_worse(&cell, found)) {
                self.cells[index].ends = true;
                self.cells.push(self.cell(cell.place, step, found));
                counts.matched += 1;
            }
        }
        let density = self.density(self.cells.iter().filter(|cell| !cell.ends).map(|cell| cell.place));
        for index in 0..self.cells.len() {
            let Cell { place, ends, .. } = self.cells[index];
            if !ends && density.at(place) > self.settings.dense {
                let ends = self.uniform() < THINNED;
                self.cells[index].ends = ends;
                counts.crowded += usize::from(ends);
            }
        }
        for place in self.holes(&density) {
            self.cells.push(self.cell(place, step, found));
            counts.born += 1;
        }
        counts
    }

    /// Places of a new lattice where there are few cells.
    fn holes(&mut self, density: &Density) -> Vec<Point> {
        let lattice = self.lattice();
        lattice.into_iter().filter(|&place| density.at(place) < self.settings.sparse).collect()
    }

    /// A new cell, which shows the best match at its place.
    fn cell(&self, place: Point, weight: f32, found: &Found) -> Cell {
        let (index, center) = found.position(place);
        let (nearest, columns) = (found.nearest[index] as usize, self.style.detail.size[0] / SPACING);
        let matched = [nearest % columns, nearest / columns].map(|at| center_of(at, SPACING));
        // Offsets within the frame's position are kept, so that neighboring cells continue each other.
        Cell {
            place,
            source: [0, 1].map(|i| matched[i] + place[i] - center[i]),
            matrix: [[1.0, 0.0], [0.0, 1.0]],
            weight,
            ends: false,
        }
    }

    /// Whether another match is much better.
    fn is_worse(&self, cell: &Cell, found: &Found) -> bool {
        let (index, _) = found.position(cell.place);
        let columns = self.style.detail.size[0] / SPACING;
        let rows = self.style.detail.size[1] / SPACING;
        let position = |at: f32, count: usize| ((at + 0.5) as usize / SPACING).min(count - 1);
        let own = position(cell.source[1], rows) * columns + position(cell.source[0], columns);
        let channels = found.features.len() / found.nearest.len();
        let (ours, theirs) = (part(found.features, index, channels), part(&self.style.features, own, channels));
        let cosine: f32 = ours.iter().zip(theirs).map(|(a, b)| a * b).sum();
        found.cosines[index] - cosine > self.settings.keep
    }

    /// The density of cells at these places.
    fn density(&self, places: impl Iterator<Item = Point>) -> Density {
        let margin = self.margin();
        let size = self.size.map(|side| side + 2 * margin);
        let mut density = Density { margin, picture: Picture { size, values: vec![0.0; size[0] * size[1]] } };
        for place in places {
            let place = place.map(|at| at + margin as f32);
            self.window(place, size, |_, _, pixel, value| density.picture.values[pixel] += value.powi(4));
        }
        density
    }

    /// Calls `visit` for each pixel of the window at a place, in a picture of this size: with the pixel's whole offset
    /// from the rounded place (x, y), its index, and 1 - (distance / reach)^2.
    fn window(&self, place: Point, size: [usize; 2], mut visit: impl FnMut(isize, isize, usize, f32)) {
        let margin = self.margin() as isize;
        let [x, y] = place.map(|at| at.round() as isize);
        let [width, height] = size.map(|side| side as isize);
        let scale = 1.0 / (self.reach() * self.reach());
        for row in (y - margin).max(0)..(y + margin + 1).min(height) {
            let dy = row as f32 - place[1];
            for column in (x - margin).max(0)..(x + margin + 1).min(width) {
                let dx = column as f32 - place[0];
                let value = 1.0 - (dx * dx + dy * dy) * scale;
                if value > 0.0 {
                    visit(column - x, row - y, (row * width + column) as usize, value);
                }
            }
        }
    }

    /// The frame's detail.
    fn draw(&self) -> Vec<[f32; 3]> {
        // The sums of colors, of weights, and of their squares.
        let mut sums = vec![[0.0f32; 5]; self.size[0] * self.size[1]];
        for cell in &self.cells {
            let rounding = [0, 1].map(|i| cell.place[i].round() - cell.place[i]);
            self.window(cell.place, self.size, |dx, dy, pixel, window| {
                let weight = window.powi(self.settings.hardness) * cell.weight;
                let offset = [dx as f32 + rounding[0], dy as f32 + rounding[1]];
                let shown =
                    [0, 1].map(|i| cell.source[i] + cell.matrix[i][0] * offset[0] + cell.matrix[i][1] * offset[1]);
                let (left, top) = (shown[0].floor(), shown[1].floor());
                let columns = self.settings.reading.taps(shown[0] - left);
                let rows = self.settings.reading.taps(shown[1] - top);
                let (x, y) = (left as isize - 1, top as isize - 1);
                let mut color = [0.0; 3];
                for (row, row_weight) in (y..).zip(rows).filter(|(_, weight)| *weight != 0.0) {
                    for (column, tap) in (x..).zip(columns).filter(|(_, weight)| *weight != 0.0) {
                        let value = self.style.detail.at(column, row);
                        (0..3).for_each(|i| color[i] += value[i] * tap * row_weight);
                    }
                }
                let sum = &mut sums[pixel];
                (0..3).for_each(|i| sum[i] += color[i] * weight);
                sum[3] += weight;
                sum[4] += weight * weight;
            });
        }
        let contrast = self.settings.contrast;
        let divided = |[r, g, b, weights, squares]: [f32; 5]| {
            let scale = 1.0 / (if contrast { squares.sqrt() } else { weights }).max(1e-9);
            [r * scale, g * scale, b * scale]
        };
        sums.into_iter().map(divided).collect()
    }
}

impl Found<'_> {
    /// The index of the position at a place of the frame, and the position's center.
    fn position(&self, place: Point) -> (usize, Point) {
        let position = |at: f32, count: usize| ((at + 0.5).max(0.0) as usize / SPACING).min(count - 1);
        let (column, row) = (position(place[0], self.columns), position(place[1], self.rows));
        (row * self.columns + column, [column, row].map(|at| center_of(at, SPACING)))
    }
}

impl Reading {
    /// The weights of four neighboring pixels, the second of which is `fraction` of a pixel before the place.
    fn taps(self, fraction: f32) -> [f32; 4] {
        let f = fraction;
        match self {
            Self::Nearest if f < 0.5 => [0.0, 1.0, 0.0, 0.0],
            Self::Nearest => [0.0, 0.0, 1.0, 0.0],
            Self::Bilinear => [0.0, 1.0 - f, f, 0.0],
            // Keys, with a = -0.75.
            Self::Bicubic => {
                let near = |d: f32| (1.25 * d - 2.25) * d * d + 1.0;
                let far = |d: f32| ((-0.75 * d + 3.75) * d - 6.0) * d + 3.0;
                [far(1.0 + f), near(f), near(1.0 - f), far(2.0 - f)]
            }
        }
    }
}

fn product(a: [Point; 2], b: [Point; 2]) -> [Point; 2] {
    a.map(|row| [0, 1].map(|i| row[0] * b[0][i] + row[1] * b[1][i]))
}

/// The inverse. Of a motion that folds the picture, it is the identity.
fn inverse([[a, b], [c, d]]: [Point; 2]) -> [Point; 2] {
    let determinant = a * d - b * c;
    if determinant < 0.1 {
        return [[1.0, 0.0], [0.0, 1.0]];
    }
    [[d / determinant, -b / determinant], [-c / determinant, a / determinant]]
}

/// The center of the position `at`, in pixels.
fn center_of(at: usize, spacing: usize) -> f32 {
    (at as f32 + 0.5) * spacing as f32 - 0.5
}

fn part(values: &[f32], index: usize, length: usize) -> &[f32] {
    &values[index * length..(index + 1) * length]
}

fn floats(path: &str) -> Outcome<Vec<f32>> {
    let bytes = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
}
