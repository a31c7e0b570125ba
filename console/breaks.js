// The scale of a timeline whose long idle gaps are broken, so that what happens beside them can be seen.

// A shorter gap is never broken.
const shortest = 60e3;
// A gap is broken when it is at least this many times as long as all that is left.
const times = 4;
// The most breaks of a timeline.
const most = 12;
const breakWidth = 76;

/**
 * Divides the time from start to end into parts that are drawn to scale and breaks in which nothing begins or ends.
 * @param happenings the times at which something begins or ends, in milliseconds
 * @returns [{ from, to, isBreak }]
 */
export function partsOf(start, end, happenings) {
  const edges = [...new Set([start, ...happenings.filter((one) => one > start && one < end), end])].sort((a, b) => a - b);
  const gaps = edges.slice(1).map((to, index) => ({ from: edges[index], to, length: to - edges[index] }));
  const long = gaps.filter((one) => one.length >= shortest).sort((a, b) => b.length - a.length);
  let rest = end - start;
  let count = 0;
  long.slice(0, most).forEach((gap, index) => {
    rest -= gap.length;
    if (gap.length >= times * rest) count = index + 1;
  });
  const broken = new Set(long.slice(0, count));
  const parts = [];
  for (const gap of gaps) {
    const isBreak = broken.has(gap);
    const last = parts.at(-1);
    if (last && !isBreak && !last.isBreak) last.to = gap.to;
    else parts.push({ from: gap.from, to: gap.to, isBreak });
  }
  return parts;
}

/** Gives each part its place from `left` on: { from, to, isBreak, x, width }. */
export function placed(parts, left, room) {
  const breaks = parts.filter((one) => one.isBreak).length;
  const scaled = parts.filter((one) => !one.isBreak);
  // What is to scale has at least a third of the room.
  const each = Math.min(breakWidth, (room * 2) / 3 / Math.max(1, breaks));
  const length = scaled.reduce((sum, one) => sum + one.to - one.from, 0);
  const per = (room - breaks * each) / Math.max(1, length);
  let x = left;
  return parts.map((one) => {
    const width = one.isBreak ? each : (one.to - one.from) * per;
    x += width;
    return { ...one, x: x - width, width };
  });
}

/** Returns the function from a time to its place. */
export function scaleOf(places) {
  return (at) => {
    const part = places.find((one) => at <= one.to) ?? places.at(-1);
    return part.x + (Math.min(part.to, Math.max(part.from, at)) - part.from) / Math.max(1, part.to - part.from) * part.width;
  };
}
