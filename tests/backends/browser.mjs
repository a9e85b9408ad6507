// Opens pages in Chromium, gives each its pictures ("camera" is the camera, .txt is none that can be
// read), and prints what is shown as JSON.
// Arguments: playwright-core's folder, the browser, JSON: a list of {url, pictures, screenshot}.
import { createRequire } from "node:module";
const [folder, executablePath, wanted] = process.argv.slice(2);
const { chromium } = createRequire(import.meta.url)(folder);
const args = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
const browser = await chromium.launch({ executablePath, args });

function shown() {
  const canvas = document.getElementById("result"), { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const text = (id) => document.getElementById(id).textContent;
  let bytes = "";
  for (const byte of data) bytes += String.fromCharCode(byte);
  const legend = [...document.querySelectorAll("#legend li b")].map((each) => each.textContent);
  return { width, height, pixels: btoa(bytes), status: text("status"), time: text("time"), legend };
}

async function visit({ url, pictures, screenshot }) {
  const page = await browser.newPage({ viewport: { width: 1100, height: 700 } }), found = [], errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  const state = (name) => page.waitForSelector(`#status[data-state="${name}"]`, { timeout: 120000 });
  await page.goto(url);
  await state("ready");
  for (const picture of pictures) {
    if (picture === "camera") await page.click("#camera");
    else await page.setInputFiles("#file", picture);
    await state(picture.endsWith(".txt") ? "failed" : "done");
    found.push(await page.evaluate(shown));
  }
  if (screenshot) await page.screenshot({ path: screenshot });
  await page.close();
  return { found, errors };
}

try {
  console.log(JSON.stringify(await Promise.all(JSON.parse(wanted).map(visit))));
} finally {
  await browser.close();
}
