// Calls functions of the page on JSON of {source, calls: [[name, ...arguments]]} from stdin.
import { readFileSync } from "node:fs";
const { source, calls } = JSON.parse(readFileSync(0));
const names = ["resizeRgb", "classify", "nearestLabels", "networkNumbers"];
const page = new Function(`${source}; return { ${names} };`)();
const plain = (found) => Array.from(found.data ?? found);
console.log(JSON.stringify(calls.map(([name, ...given]) => plain(page[name](...given)))));
