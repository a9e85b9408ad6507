// Opens a page in Chromium, gives it pictures one after another, prints what it shows as JSON.
// Arguments: playwright-core's folder, the browser, the address, a screenshot's file or "", pictures.
import { createRequire } from "node:module";
const [folder, executablePath, url, screenshot, ...pictures] = process.argv.slice(2);
const { chromium } = createRequire(import.meta.url)(folder);
const args = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
const browser = await chromium.launch({ executablePath, args });
const page = await browser.newPage({ viewport: { width: 1100, height: 700 } });
const errors = [];
page.on("pageerror", (error) => errors.push(String(error)));
const state = (wanted) => page.waitForSelector(`#status[data-state="${wanted}"]`, { timeout: 120000 });
const shown = () =>
  page.evaluate(() => {
    const canvas = document.getElementById("result"), { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const text = (id) => document.getElementById(id).textContent;
    let bytes = "";
    for (const byte of data) bytes += String.fromCharCode(byte);
    const legend = [...document.querySelectorAll("#legend li")].map((each) => each.textContent);
    return { width, height, pixels: btoa(bytes), status: text("status"), time: text("time"), legend };
  });
const found = [];
try {
  await page.goto(url);
  await state("ready");
  for (const picture of pictures) {
    if (picture === "camera") await page.click("#camera");
    else await page.setInputFiles("#file", picture);
    await state(picture.endsWith(".txt") ? "failed" : "done");
    found.push(await shown());
  }
  if (screenshot) await page.screenshot({ path: screenshot });
} finally {
  await browser.close();
}
console.log(JSON.stringify({ found, errors }));
