// Answers and their pictures, one entry a kind: `read` gives the answer at the picture's size, and
// `draw` its colours over the picture, a line for people and the legend.
const roundEven = (x) => {
  const low = Math.floor(x), rest = x - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low;
};

const KINDS = {
  classes: {
    read: (output, dims, fed, { height, width }, answer) =>
      answer.bytes ? nearestLabels(output, dims, height, width) : classify(output, dims, height, width),
    draw(labels, image, answer, alpha) {
      const { height, width } = image, data = new Uint8ClampedArray(image.data.length);
      const counts = new Array(answer.names.length).fill(0);
      for (let n = 0; n < labels.length; n++) {
        const colour = answer.colours[labels[n]], x = n % width;
        const edge = (x + 1 < width && labels[n] !== labels[n + 1]) || (n + width < labels.length && labels[n] !== labels[n + width]);
        counts[labels[n]]++;
        for (let c = 0; c < 3; c++)
          data[3 * n + c] = edge ? colour[c] : roundEven((1 - alpha) * image.data[3 * n + c] + single(single(alpha) * colour[c]));
      }
      const order = [...counts.keys()].sort((a, b) => counts[b] - counts[a] || a - b);
      const share = (n) => `${((100 * counts[n]) / labels.length).toFixed(0)} %`;
      const legend = order.map((n) => ({ text: answer.names[n], colour: answer.colours[n], note: counts[n] ? share(n) : "" }));
      const line = order.filter((n) => counts[n]).slice(0, 4).map((n) => `${answer.names[n]} ${share(n)}`).join(", ");
      return { data, line, legend };
    },
  },

  depth: {
    read(output, dims, fed, { height, width }, answer) {
      const metres = new Float32Array(height * width);
      eachGrown(output, dims, height, width, (_, pixel, value) => {
        const known = Number.isNaN(value) ? answer.least : value;
        metres[pixel] = Math.min(Math.max(known, answer.least), answer.most);
      });
      return metres;
    },
    draw(metres, image, answer) {
      const sorted = Float32Array.from(metres).sort();
      const [first, far] = answer.quantiles.map((share) => quantile(sorted, share));
      const near = Math.max(first, far / answer.contrast), end = Math.max(far, answer.narrowest * near);
      const data = new Uint8ClampedArray(3 * metres.length), steps = answer.colours.length - 1;
      const low = Math.log(near), span = Math.log(end) - low;
      for (let n = 0; n < metres.length; n++) {
        const place = steps * Math.min(Math.max((single(Math.log(metres[n])) - low) / span, 0), 1);
        const below = Math.min(Math.floor(place), steps - 1);
        for (let c = 0; c < 3; c++) {
          const start = answer.colours[below][c];
          data[3 * n + c] = roundEven(start + (place - below) * (answer.colours[below + 1][c] - start));
        }
      }
      const legend = [0, 0.25, 0.5, 0.75, 1].map((share) => ({
        text: `${Math.exp(low + share * span).toPrecision(3)} m`,
        colour: answer.colours[Math.round(share * steps)],
        note: share === 0 ? "near" : share === 1 ? "far" : "",
      }));
      const line = `${sorted[0].toFixed(2)} to ${sorted.at(-1).toFixed(2)} m, half of it up to ${quantile(sorted, 0.5).toFixed(2)} m`;
      return { data, line, legend };
    },
  },

  joints: {
    read: (output, [count], fed, { height, width }) =>
      Array.from({ length: count }, (_, n) => [
        single(output[3 * n] * single(width / fed.width)),
        single(output[3 * n + 1] * single(height / fed.height)),
        output[3 * n + 2],
      ]),
    draw(joints, image, answer, alpha) {
      const canvas = Float32Array.from(image.data), { height, width } = image;
      const radius = Math.max(0.8, answer.thickness * Math.max(height, width));
      const shown = joints.map((joint) => joint[2] > 0);
      for (const { ends: [a, b], colour } of answer.edges)
        if (shown[a] && shown[b]) stroke(canvas, image, joints[a], joints[b], radius, colour);
      joints.forEach((joint, n) => shown[n] && stroke(canvas, image, joint, joint, 2 * radius, answer.colours[n]));
      const data = new Uint8ClampedArray(image.data.length);
      for (let n = 0; n < data.length; n++)
        data[n] = roundEven((1 - alpha) * image.data[n] + single(single(alpha) * roundEven(canvas[n])));
      const mean = joints.reduce((sum, joint) => sum + joint[2], 0) / joints.length;
      const line = `${shown.filter(Boolean).length} of ${joints.length} joints, mean score ${mean.toFixed(3)}`;
      const legend = joints.map((joint, n) => ({ text: answer.names[n], colour: answer.colours[n], note: joint[2].toFixed(2) }));
      return { data, line, legend };
    },
  },
};

/** A quantile of sorted numbers, interpolated. */
function quantile(sorted, share) {
  const place = share * (sorted.length - 1), low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return single(sorted[low] + (place - low) * (sorted[high] - sorted[low]));
}

/** Mixes a line with round ends into a canvas of numbers, its border one pixel soft. */
function stroke(canvas, { height, width }, [x0, y0], [x1, y1], radius, colour) {
  const across = x1 - x0, down = y1 - y0, length = Math.max(across ** 2 + down ** 2, 1e-9);
  const bound = (value, most) => Math.trunc(Math.min(Math.max(value, 0), most));
  const left = bound(Math.min(x0, x1) - radius - 1, width), right = bound(Math.max(x0, x1) + radius + 2, width);
  const top = bound(Math.min(y0, y1) - radius - 1, height), bottom = bound(Math.max(y0, y1) + radius + 2, height);
  for (let y = top; y < bottom; y++)
    for (let x = left; x < right; x++) {
      const dx = x - x0, dy = y - y0;
      const along = Math.min(Math.max((dx * across + dy * down) / length, 0), 1);
      const share = Math.min(Math.max(radius + 0.5 - Math.hypot(dx - along * across, dy - along * down), 0), 1);
      for (let c = 0; c < 3; c++) {
        const at = 3 * (y * width + x) + c;
        canvas[at] += share * single(colour[c] - canvas[at]);
      }
    }
}
