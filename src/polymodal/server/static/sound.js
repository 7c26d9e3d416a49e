// A button that records sound as a WAV file of 16 bits.

import { alertWith, element } from "./elements.js";
import { word } from "./words.js";

/** Return a button that starts and stops a recording, and calls `add` with the file. */
export function recordButton(add) {
  const button = element("button", { type: "button" }, word("record"));
  let stop = null;
  button.addEventListener("click", async () => {
    if (stop) {
      add(stop());
      stop = null;
      button.textContent = word("record");
      return;
    }
    try {
      stop = await start((seconds) => {
        button.textContent = word("stop", seconds);
      });
    } catch (error) {
      alertWith(word("no.microphone", error.message));
    }
  });
  return button;
}

/** Start to record, and return a function that stops and returns the file. `tick` is called with the seconds. */
async function start(tick) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const context = new AudioContext();
  await context.audioWorklet.addModule("/static/recorder.js");
  const node = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
  const blocks = [];
  node.port.onmessage = ({ data }) => blocks.push(data);
  context.createMediaStreamSource(stream).connect(node);
  let seconds = 0;
  tick(0);
  const timer = setInterval(() => tick(++seconds), 1000);
  return () => {
    clearInterval(timer);
    stream.getTracks().forEach((track) => track.stop());
    context.close();
    return new File([wav(blocks, context.sampleRate)], "recording.wav", { type: "audio/wav" });
  };
}

/** Return the content of a WAV file of one channel. */
function wav(blocks, rate) {
  const count = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const letters = (at, text) => [...text].forEach((letter, place) => view.setUint8(at + place, letter.charCodeAt(0)));
  letters(0, "RIFF");
  view.setUint32(4, 36 + 2 * count, true);
  letters(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  letters(36, "data");
  view.setUint32(40, 2 * count, true);
  let at = 44;
  for (const block of blocks) {
    for (const sample of block) {
      view.setInt16(at, Math.round(32767 * Math.max(-1, Math.min(1, sample))), true);
      at += 2;
    }
  }
  return view.buffer;
}
