// A dialog that takes a picture with the camera.

import { alertWith, element } from "./elements.js";
import { word } from "./words.js";

/** Show what the camera sees, and call `add` with the picture that is taken, a PNG file. */
export async function openCamera(add) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (error) {
    alertWith(word("no.camera", error.message));
    return;
  }
  const video = element("video", { autoplay: true, muted: true, playsInline: true, srcObject: stream });
  const dialog = element("dialog", { "aria-label": word("camera") }, video);
  const end = () => {
    stream.getTracks().forEach((track) => track.stop());
    dialog.remove();
  };
  const take = element("button", { type: "button", className: "main", disabled: true }, word("take"));
  video.addEventListener("loadeddata", () => {
    take.disabled = false;
  });
  take.addEventListener("click", () => {
    const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => add(new File([blob], "camera.png", { type: "image/png" })), "image/png");
    dialog.close();
  });
  const cancel = element("button", { type: "button", onclick: () => dialog.close() }, word("cancel"));
  dialog.append(element("div", { className: "actions" }, take, cancel));
  dialog.addEventListener("close", end);
  document.body.append(dialog);
  dialog.showModal();
}
