// The page: the lobby, then the call, then the lobby again.

import { Call } from "./call.js";
import { byId } from "./dom.js";
import { hookSession } from "./hooks.js";
import { Lobby } from "./lobby.js";
import { claimPeerId, options } from "./options.js";
import { SocketLostError } from "./protoo.js";
import { Session } from "./session.js";
import { StatsCollector } from "./stats.js";
import { startTheme } from "./theme.js";
import { announce, problem } from "./toast.js";

let stay = null;
let joining = false;

const lobby = new Lobby(join);

async function join({ name, room, tracks }) {
  if (joining) return;
  joining = true;
  lobby.setJoining(true);
  const session = new Session({ roomId: room, peerId: await claimPeerId(), displayName: name });
  const stats = new StatsCollector(session);
  hookSession(session, stats);
  session.addEventListener("problem", ({ detail }) => problem(detail.message));
  for (const [name, track] of Object.entries(tracks)) if (track) session.publisher.publish(name, track);
  try {
    await session.join();
    lobby.leave();
    showRoom(room);
    const call = new Call({ session, stats, onLeave: () => leave() });
    stay = { session, stats, call };
    session.addEventListener("ended", ({ detail }) => leave(detail.message));
    announce(`You are in the room ${room}`);
  } catch (error) {
    stats.stop();
    session.leave();
    hookSession(null, null);
    problem(`The room could not be joined. ${advice(error)}`);
    lobby.leave();
    await lobby.enter();
  } finally {
    joining = false;
  }
}

function advice(error) {
  if (error instanceof SocketLostError) {
    const token = options.token ? " or does not accept the token in the link" : "";
    return `The server does not answer${token}. Check your network, then try again.`;
  }
  return `${error.message}. Try again, or choose another room.`;
}

async function leave(reason) {
  if (!stay) return;
  const { session, stats, call } = stay;
  stay = null;
  stats.stop();
  session.leave();
  call.dispose();
  hookSession(null, null);
  byId("room-name").hidden = true;
  document.title = "Tureen";
  if (reason) problem(reason);
  else announce("You left the room");
  const entered = lobby.enter();
  byId("join").focus();
  await entered;
}

/** The address of the page becomes the room's, so that a reload comes back to it. */
function showRoom(room) {
  const url = new URL(location.href);
  url.searchParams.delete("roomId");
  url.searchParams.set("room", room);
  history.replaceState(null, "", url);
  byId("room-name").textContent = room;
  byId("room-name").hidden = false;
  document.title = `${room} – Tureen`;
}

window.addEventListener("pagehide", () => stay?.session.leave());
// A page out of the browser's cache shows a call that is over.
window.addEventListener("pageshow", ({ persisted }) => persisted && location.reload());

startTheme();
// A video that waits for its first frame would hold up the page's own `load`.
if (document.readyState !== "complete") await new Promise((resolve) => window.addEventListener("load", resolve));
await lobby.enter();
if (options.join) byId("join-form").requestSubmit();
