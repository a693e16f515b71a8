// What the address of the page says, and what the browser remembers of this person. It knows no elements.
//
// For everybody:  ?room=NAME  ?name=NAME  ?token=TOKEN
// For tests:      ?join=1 (skip the lobby)  ?audio=0  ?video=0 (join without that device)  ?codec=vp8|vp9|h264|av1
//                 ?simulcast=0  ?svc=L3T3_KEY  ?adaptive=0 (do not choose layers by the size of a tile)  ?tcp=1
//                 ?height=360 (lines of the camera's picture)  ?red=0 (no redundancy, where the server has it)

const query = new URLSearchParams(location.search);

const flag = (name, byDefault) => {
  const value = query.get(name);
  return value === null ? byDefault : !["0", "false", "no"].includes(value);
};

export const options = Object.freeze({
  room: query.get("room") ?? query.get("roomId") ?? roomOfPath(),
  name: query.get("name"),
  token: query.get("token"),
  join: flag("join", false),
  audio: flag("audio", true),
  video: flag("video", true),
  codec: query.get("codec")?.toLowerCase() ?? null,
  simulcast: flag("simulcast", true),
  svc: query.get("svc"),
  adaptive: flag("adaptive", true),
  forceTcp: flag("tcp", false),
  redundancy: flag("red", true),
  height: Number.parseInt(query.get("height"), 10) || 720,
});

/** `/r/NAME`, where the server offers such paths. */
function roomOfPath() {
  const name = /^\/r\/([^/]+)\/?$/.exec(location.pathname)?.[1];
  return name ? decodeURIComponent(name) : null;
}

const CONSONANTS = "bdfgklmnprstvz";
const VOWELS = "aeiou";

/** A name that can be said on the telephone: `lumo-tavi-ren`. Not `Math.random`: a room's name is its only secret. */
export function pronounceableName() {
  const letters = crypto.getRandomValues(new Uint32Array(11));
  const pick = (alphabet, i) => alphabet[letters[i] % alphabet.length];
  const text = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((i) => pick(i % 2 === 0 ? CONSONANTS : VOWELS, i)).join("");
  return `${text.slice(0, 4)}-${text.slice(4, 8)}-${text.slice(8)}`;
}

export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => (byte % 36).toString(36)).join("");
}

/** The address to hand to others: the room, and nothing about this person. */
export function linkTo(room) {
  const url = new URL("/", location.href);
  url.searchParams.set("room", room);
  return url.href;
}

/** Where settings are kept; a browser without storage forgets them. */
export const memory = {
  get(name) {
    try {
      return localStorage.getItem(`tureen.${name}`);
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(`tureen.${name}`, value);
    } catch {
      // Private windows may refuse.
    }
  },
};

const PEER_KEY = "tureen.peer";

/** The id of this tab, so that a reload takes its own place. A duplicated tab gets one of its own. */
export async function claimPeerId() {
  let id = null;
  try {
    id = sessionStorage.getItem(PEER_KEY);
  } catch {
    // As above.
  }
  if (!id || !(await isFree(id))) return renewPeerId();
  return id;
}

/** A new id, for when the server still holds something under the old one. */
export async function renewPeerId() {
  const id = randomId();
  await isFree(id);
  try {
    sessionStorage.setItem(PEER_KEY, id);
  } catch {
    // As above.
  }
  return id;
}

const held = new Set();

/** Takes the lock of an id for as long as the page lives; false if another tab has it. */
function isFree(id) {
  if (!navigator.locks || held.has(id)) return true;
  return new Promise((resolve) => {
    navigator.locks.request(`tureen.peer.${id}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      if (!lock) return undefined;
      held.add(id);
      return new Promise(() => {});
    }).catch(() => resolve(true));
  });
}
