// Numbers of pictures, computed as Pillow and numpy compute them: pictures are {data, height, width}.
const single = Math.fround;

/** Weights of Pillow's bilinear filter along one axis: for each pixel its first source and weights. */
function filterWeights(length, wanted) {
  const scale = length / wanted, support = Math.max(scale, 1);
  return Array.from({ length: wanted }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(length, Math.trunc(centre + support + 0.5));
    const parts = [];
    for (let n = first; n < end; n++)
      parts.push(Math.max(0, 1 - Math.abs((n - centre + 0.5) / support)));
    const sum = parts.reduce((a, b) => a + b, 0);
    return { first, parts: parts.map((each) => Math.trunc(0.5 + (each / sum) * (1 << 22))) };
  });
}

/**
 * RGB bytes of another height and width: bilinear, averaging where they shrink. Rows before columns,
 * as Pillow mostly does; where it takes the columns first, a byte may be one apart.
 */
function resizeRgb(image, height, width) {
  const across = resizeAxis(image.data, image.height, image.width, 3, width);
  const data = resizeAxis(across, 1, image.height, 3 * width, height);
  return { data, height, width };
}

/** The middle axis of bytes (outer, length, inner) at another length. */
function resizeAxis(data, outer, length, inner, wanted) {
  if (length === wanted) return data;
  const found = new Uint8ClampedArray(outer * wanted * inner), weights = filterWeights(length, wanted);
  for (let row = 0; row < outer; row++)
    for (let place = 0; place < wanted; place++) {
      const { first, parts } = weights[place];
      const from = (row * length + first) * inner, to = (row * wanted + place) * inner;
      for (let n = 0; n < inner; n++) {
        let sum = 1 << 21;
        for (let k = 0; k < parts.length; k++) sum += data[from + k * inner + n] * parts[k];
        found[to + n] = sum >> 22;
      }
    }
  return found;
}

/** Numbers of a network's input for one picture: bytes as they are, or normalised, channels first. */
function networkNumbers(image, facts) {
  if (facts.bytes) return Uint8Array.from(image.data);
  const pixels = image.height * image.width, found = new Float32Array(3 * pixels);
  for (let channel = 0; channel < 3; channel++) {
    const scale = single(facts.scale[channel]), shift = single(facts.shift[channel]);
    for (let n = 0; n < pixels; n++)
      found[channel * pixels + n] = single(image.data[3 * n + channel] * scale) - shift;
  }
  return found;
}

/** Of each of `wanted` samples the two neighbours among `length`, and the second one's part. */
function neighbours(length, wanted) {
  return Array.from({ length: wanted }, (_, n) => {
    const place = Math.min(Math.max(((n + 0.5) * length) / wanted - 0.5, 0), length - 1);
    const low = Math.floor(place), part = single(place - low);
    return { low, high: Math.min(low + 1, length - 1), part, rest: single(1 - part) };
  });
}

/** Calls `take(channel, pixel, value)` for maps (channels, h, w) grown bilinearly to a size. */
function eachGrown(maps, [channels, h, w], height, width, take) {
  const columns = neighbours(w, width), rows = neighbours(h, height), mixed = new Float32Array(w);
  for (let channel = 0; channel < channels; channel++)
    for (let y = 0; y < height; y++) {
      const { low, high, part, rest } = rows[y], from = channel * h * w;
      for (let x = 0; x < w; x++)
        mixed[x] = single(maps[from + low * w + x] * rest) + single(maps[from + high * w + x] * part);
      for (let x = 0; x < width; x++) {
        const c = columns[x];
        take(channel, y * width + x, single(single(mixed[c.low] * c.rest) + single(mixed[c.high] * c.part)));
      }
    }
}

/** The largest channel at each pixel of a size, of scores (classes, h, w). */
function classify(scores, dims, height, width) {
  const labels = new Uint8Array(height * width), best = new Float32Array(height * width).fill(-Infinity);
  eachGrown(scores, dims, height, width, (channel, pixel, value) => {
    if (value > best[pixel]) (best[pixel] = value), (labels[pixel] = channel);
  });
  return labels;
}

/** Labels (h, w) at a size: those of the nearest pixels. */
function nearestLabels(labels, [, h, w], height, width) {
  const found = new Uint8Array(height * width);
  for (let y = 0; y < height; y++) {
    const row = Math.trunc(((y + 0.5) * h) / height) * w;
    for (let x = 0; x < width; x++)
      found[y * width + x] = labels[row + Math.trunc(((x + 0.5) * w) / width)];
  }
  return found;
}
