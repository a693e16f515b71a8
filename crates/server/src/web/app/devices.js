// Cameras, microphones, speakers and screens: opening them, naming them, and saying in plain words why one cannot be had.

import { make } from "./dom.js";
import { memory } from "./options.js";
import { cameraConstraints, screenConstraints } from "./profile.js";

export const canCapture = Boolean(navigator.mediaDevices?.getUserMedia);
export const canShareScreen = Boolean(navigator.mediaDevices?.getDisplayMedia);
export const canChooseSpeaker = "setSinkId" in HTMLMediaElement.prototype;

export const KINDS = {
  cam: { deviceKind: "videoinput", label: "Camera", word: "camera" },
  mic: { deviceKind: "audioinput", label: "Microphone", word: "microphone" },
  speaker: { deviceKind: "audiooutput", label: "Speaker", word: "speaker" },
};

/** Why a device is not there, and what to do about it. */
export class DeviceError extends Error {
  constructor(message, cause) {
    super(message, { cause });
    this.name = "DeviceError";
  }
}

export const INSECURE =
  "Browsers give camera and microphone to secure pages only. Open this page over https, or on localhost.";

const BOTH_BLOCKED =
  "Camera and microphone are blocked. Allow them in the browser's address bar, then switch them on below.";

function explain(error, word) {
  switch (error.name) {
    case "NotAllowedError":
      return `The ${word} is blocked. Allow it in the browser's address bar, then switch it on again.`;
    case "NotFoundError": return `No ${word} was found. Connect one, then switch it on again.`;
    case "NotReadableError": return `The ${word} is in use by another program. Close that, then try again.`;
    default: return `The ${word} could not be opened (${error.message || error.name}).`;
  }
}

export const chosen = (name) => memory.get(name) ?? "";
export const choose = (name, deviceId) => memory.set(name, deviceId);

function constraints(name) {
  const deviceId = chosen(name) ? { deviceId: { ideal: chosen(name) } } : {};
  if (name === "cam") return { video: { ...cameraConstraints, ...deviceId } };
  return { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...deviceId } };
}

/** The track of the chosen (or first) camera or microphone. */
export async function open(name) {
  if (!canCapture) throw new DeviceError(INSECURE);
  try {
    const [track] = (await navigator.mediaDevices.getUserMedia(constraints(name))).getTracks();
    if (name === "cam") hint(track, "motion");
    return track;
  } catch (error) {
    throw new DeviceError(explain(error, KINDS[name].word), error);
  }
}

/** Both with one question to the user, where possible. Resolves with `{ mic, cam, errors }`. */
export async function openBoth({ mic, cam }) {
  if (mic && cam && canCapture) {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ ...constraints("mic"), ...constraints("cam") });
      const [audio] = stream.getAudioTracks();
      const [video] = stream.getVideoTracks();
      hint(video, "motion");
      return { mic: audio, cam: video, errors: {} };
    } catch {
      // Perhaps one of the two can be had.
    }
  }
  const result = { mic: null, cam: null, errors: {} };
  for (const [name, wanted] of Object.entries({ mic, cam })) {
    if (!wanted) continue;
    try {
      result[name] = await open(name);
    } catch (error) {
      result.errors[name] = error.message;
    }
  }
  const blocked = [result.errors.mic, result.errors.cam].every((message) => message?.includes("is blocked"));
  if (blocked) result.errors = { both: BOTH_BLOCKED };
  return result;
}

/** The track of a screen or window that the user picks; null if the user thinks better of it. */
export async function openScreen() {
  try {
    const [track] = (await navigator.mediaDevices.getDisplayMedia(screenConstraints)).getVideoTracks();
    hint(track, "detail");
    return track;
  } catch (error) {
    if (error.name === "NotAllowedError" || error.name === "AbortError") return null;
    throw new DeviceError(explain(error, "screen"), error);
  }
}

function hint(track, contentHint) {
  if ("contentHint" in track) track.contentHint = contentHint;
}

async function list(name) {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return devices.filter(({ kind, deviceId }) => kind === KINDS[name].deviceKind && deviceId);
}

/** Fills `box` with one choice per kind of device; `onChoice(name)` hears of changes. */
export async function showChoices(box, onChoice) {
  const names = Object.keys(KINDS).filter((name) => name !== "speaker" || canChooseSpeaker);
  const fields = await Promise.all(names.map((name) => choice(name, onChoice)));
  box.replaceChildren(...fields.filter(Boolean));
}

async function choice(name, onChoice) {
  const devices = await list(name);
  if (devices.length === 0) return null;
  const select = make("select", { name });
  devices.forEach(({ deviceId, label }, i) => {
    select.append(make("option", { value: deviceId, textContent: label || `${KINDS[name].label} ${i + 1}` }));
  });
  if (devices.some(({ deviceId }) => deviceId === chosen(name))) select.value = chosen(name);
  select.addEventListener("change", () => {
    choose(name, select.value);
    onChoice(name);
  });
  return make("label", {}, KINDS[name].label, select);
}

/** Calls back when devices are plugged in or out, until `signal` is aborted. */
export function onDeviceChange(run, signal) {
  navigator.mediaDevices?.addEventListener?.("devicechange", run, { signal });
}
