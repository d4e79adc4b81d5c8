// Where a number lies on its slider: at even steps in a small range, at stops by decades in a huge one.

// A range from here on is too huge for even steps.
const HUGE = 1000;
const DECADES = 3;
const STOPS = 150;

/** Whether -1 stands for a value that the element chooses by itself. */
export function hasAuto({ kind, least, default: usual }) {
  return kind === "number" && least === -1 && usual === -1;
}

/** The value of a knob whose auto is turned off, and around which its slider runs. */
export const OFF_AUTO = 1;

/** The slider's own range, and how its positions and the knob's values become each other. */
export function scaleOf(knob) {
  return hasAuto(knob) || knob.most - knob.least >= HUGE ? byDecades(knob) : even(knob);
}

function even({ least, most, whole, step }) {
  return { least, most, step: step ?? (whole ? 1 : 0.01), positionOf: (value) => value, valueAt: (position) => position };
}

function byDecades(knob) {
  const stops = stopsOf(knob);
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

/** Within what the knob suggests, or some decades around its default; numbers around 0 run up from 1 and down from -1. */
function stopsOf({ default: usual, least, most, whole, slider }) {
  const isAroundZero = usual === 0 && least < 0;
  const start = (usual > 0 ? usual : OFF_AUTO) / 10 ** (DECADES / 2);
  const lowest = whole || isAroundZero ? Math.max(start, 1) : start;
  const [first, last] = slider ?? [lowest, lowest * 10 ** DECADES];
  const exact = Array.from({ length: STOPS + 1 }, (_, i) => first * (last / first) ** (i / STOPS));
  const round = (value) => (whole ? Math.round(value.toPrecision(2)) : Number(value.toPrecision(2)));
  const up = [...new Set(exact.map(round))].filter((stop) => stop <= most);

  if (isAroundZero) return [...up.map((stop) => -stop).reverse(), 0, ...up];
  return least === 0 ? [0, ...up] : up;
}
