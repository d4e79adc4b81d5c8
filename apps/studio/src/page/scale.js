// Maps a number to a position on its slider: linearly for a small range, logarithmically for a large one.

// A range of this size or more gets a logarithmic slider.
const LARGE = 1000;
// The number of decades and of positions of a logarithmic slider.
const DECADES = 3;
const STOPS = 150;

/** Whether -1, which is the default, means that the element chooses the value. */
export function hasAuto({ kind, least, default: usual }) {
  return kind === "number" && least === -1 && usual === -1;
}

/** The value that a property gets when its auto is turned off: the middle of its slider. */
export function offAuto({ slider }) {
  return slider ? Math.round(Math.sqrt(slider[0] * slider[1])) : 1;
}

/** The range and the curve in which a control from outside moves a property at first: its slider's. */
export function rangeOf(property) {
  if (property.kind === "switch") return { range: [0, 1], curve: "linear" };
  if (property.kind === "choice") return { range: [0, property.choices.length - 1], curve: "linear" };
  const { least, most, valueAt } = scaleOf(property);
  const range = [valueAt(least), valueAt(most)];
  return { range, curve: isLogarithmic(property) && range[0] >= 0 ? "exponential" : "linear" };
}

/** The slider's range, and functions that convert between its positions and the property's values. */
export function scaleOf(property) {
  return isLogarithmic(property) ? logarithmic(property) : linear(property);
}

function isLogarithmic(property) {
  return hasAuto(property) || property.most - property.least >= LARGE;
}

function linear({ least, most, whole, step }) {
  return { least, most, step: step ?? (whole ? 1 : 0.01), positionOf: (value) => value, valueAt: (position) => position };
}

function logarithmic(property) {
  const stops = stopsOf(property);
  return {
    least: 0,
    most: stops.length - 1,
    step: 1,
    positionOf(value) {
      const above = stops.findIndex((stop) => stop >= value);
      return above < 0 ? stops.length - 1 : above;
    },
    valueAt: (position) => stops[position],
  };
}

/**
 * The values of the slider's positions: the range that the studio suggests, or some decades around the default. If the
 * default is 0 and negative values are allowed, they run from 1 up and from -1 down.
 */
function stopsOf({ default: usual, least, most, whole, slider }) {
  const isAroundZero = usual === 0 && least < 0;
  const start = (usual > 0 ? usual : 1) / 10 ** (DECADES / 2);
  const lowest = whole || isAroundZero ? Math.max(start, 1) : start;
  const [first, last] = slider ?? [lowest, lowest * 10 ** DECADES];
  const exact = Array.from({ length: STOPS + 1 }, (_, i) => first * (last / first) ** (i / STOPS));
  const round = (value) => (whole ? Math.round(value.toPrecision(2)) : Number(value.toPrecision(2)));
  const up = [...new Set(exact.map(round))].filter((stop) => stop <= most);

  if (isAroundZero) return [...up.map((stop) => -stop).reverse(), 0, ...up];
  return least === 0 ? [0, ...up] : up;
}
