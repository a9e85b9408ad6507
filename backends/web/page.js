// The page itself: a file or the camera in, colours, words and milliseconds out.
import * as ort from "./ort.wasm.bundle.min.mjs";

const facts = JSON.parse(document.getElementById("facts").textContent);
const part = (id) => document.getElementById(id);
const video = document.createElement("video"), screen = part("result");
const LARGEST = 1024; // pixels of the longer side that a network of any size is given
let session, last, stream, busy = false;

function say(text, state) {
  part("status").textContent = text;
  part("status").dataset.state = state;
}

/** RGB bytes of what a canvas can draw. */
function pixelsOf(source, height, width) {
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(source, 0, 0, width, height);
  const { data } = pen.getImageData(0, 0, width, height), rgb = new Uint8ClampedArray(3 * height * width);
  for (let n = 0; n < height * width; n++) rgb.set(data.subarray(4 * n, 4 * n + 3), 3 * n);
  return { data: rgb, height, width };
}

/** Height and width that the network is given for a picture. */
function fedSize({ height, width }) {
  if (facts.size) return facts.size;
  const share = Math.min(1, LARGEST / Math.max(height, width));
  return [height, width].map((side) => Math.max(1, Math.round(side * share)));
}

/** Runs the network on a picture. */
async function run(image) {
  const fed = resizeRgb(image, ...fedSize(image)), numbers = networkNumbers(fed, facts);
  const all = new numbers.constructor(numbers.length * facts.batch);
  for (let n = 0; n < facts.batch; n++) all.set(numbers, n * numbers.length);
  const shape = facts.bytes ? [facts.batch, fed.height, fed.width, 3] : [facts.batch, 3, fed.height, fed.width];
  const start = performance.now();
  const outputs = await session.run({ image: new ort.Tensor(facts.bytes ? "uint8" : "float32", all, shape) });
  const ms = performance.now() - start, { data, dims } = outputs.main;
  const answer = KINDS[facts.answer.kind].read(data.subarray(0, data.length / facts.batch), dims.slice(1), fed, image, facts.answer);
  return { image, answer, ms, fed };
}

/** Shows the last answer, with the opacity that is chosen. */
function show() {
  if (!last) return;
  const { image, answer, ms, fed } = last, { height, width } = image;
  const found = KINDS[facts.answer.kind].draw(answer, image, facts.answer, Number(part("alpha").value));
  const shown = new ImageData(width, height);
  for (let n = 0; n < height * width; n++) {
    shown.data.set(found.data.subarray(3 * n, 3 * n + 3), 4 * n);
    shown.data[4 * n + 3] = 255;
  }
  if (screen.width !== width || screen.height !== height) [screen.width, screen.height] = [width, height];
  screen.getContext("2d").putImageData(shown, 0, 0);
  part("legend").replaceChildren(...found.legend.map(row));
  part("time").textContent = `${ms.toFixed(1)} ms`;
  const size = `${width} × ${height}`, given = `${fed.width} × ${fed.height}`;
  say(`${found.line} · ${size}${given === size ? "" : `, seen at ${given}`}`, "done");
}

function row({ text, colour, note }) {
  const item = document.createElement("li"), swatch = document.createElement("span");
  swatch.style.background = `rgb(${colour.join(" ")})`;
  const name = document.createElement("b"), value = document.createElement("i");
  [name.textContent, value.textContent] = [text, note];
  item.classList.toggle("absent", !note && facts.answer.kind === "classes");
  item.append(swatch, name, value);
  return item;
}

/** Runs and shows, one picture at a time; what fails is said. */
async function answer(given) {
  if (busy) return;
  busy = true;
  try {
    last = await run(await given());
    show();
  } catch (error) {
    say(`error: ${error.message ?? error}`, "failed");
  } finally {
    busy = false;
  }
}

function openFile(file) {
  if (!file) return;
  stopCamera();
  say(`running on ${file.name} ...`, "busy");
  answer(async () => {
    const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" }).catch(() => {
      throw new Error(`${file.name}: no picture that this browser reads`);
    });
    return pixelsOf(bitmap, bitmap.height, bitmap.width);
  });
}

async function startCamera() {
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
  } catch (error) {
    return say(`no camera: ${error.message}`, "failed");
  }
  video.srcObject = stream;
  await video.play();
  part("camera").textContent = "Stop";
  while (stream) {
    await answer(async () => pixelsOf(video, video.videoHeight, video.videoWidth));
    await new Promise(requestAnimationFrame);
  }
}

function stopCamera() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = undefined;
  part("camera").textContent = "Camera";
}

part("file").addEventListener("change", (event) => openFile(event.target.files[0]));
part("alpha").addEventListener("input", show);
part("camera").addEventListener("click", () => (stream ? stopCamera() : startCamera()));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  openFile(event.dataTransfer.files[0]);
});

part("genotype").textContent = facts.genotype;
if (facts.answer.kind === "depth") part("opacity").hidden = true;
if (facts.answer.names)
  part("legend").replaceChildren(
    ...facts.answer.names.map((text, n) => row({ text, colour: facts.answer.colours[n], note: "" })),
  );
ort.env.wasm.numThreads = crossOriginIsolated ? navigator.hardwareConcurrency : 1;
try {
  session = await ort.InferenceSession.create("model.onnx");
  for (const id of ["file", "camera"]) part(id).disabled = false;
  say("ready: choose a picture, or drop one here", "ready");
} catch (error) {
  say(`error: ${error.message ?? error}`, "failed");
}
