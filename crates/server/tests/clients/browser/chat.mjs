// The chat of the server's own page, by keyboard. Options:
//   { url, room, screenshots }: a folder for pictures of the panel, desktop and phone, light and dark
// Ada, in Chromium, and Grace, in Firefox, write to each other; Ada asks the bot.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pause, scenario, until } from "./lib-browsers.mjs";

const address = ({ url, room }, name) => {
  const full = new URL(url);
  for (const [key, value] of Object.entries({ join: "1", room, name, height: "180", adaptive: "0" })) full.searchParams.set(key, value);
  return full.href;
};

const texts = (page) => page.evaluate(() => window.tureen.messages.map(({ text }) => text));

const heard = (page, text) => until(`"${text}" to be heard`, async () => (await texts(page)).includes(text));

/** Types into the chat's field, and sends by the enter key. */
async function write(page, text) {
  await page.focus("#chat-text");
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}

scenario(async (options, start) => {
  const [ada, grace] = [
    await (await start("chromium")).open(address(options, "Ada")),
    await (await start("firefox")).open(address(options, "Grace")),
  ];
  for (const page of [ada, grace]) {
    await until("the others in the room", () => page.evaluate(() => window.tureen?.state === "joined" && window.tureen.peers.length === 1));
  }
  // What is said before the other page can read is lost to it: the first one is said until it is heard.
  await ada.keyboard.press("t");
  await until("the first message", async () => {
    if ((await texts(grace)).includes("Hello there")) return true;
    await write(ada, "Hello there");
    await pause(500);
    return (await texts(grace)).includes("Hello there");
  });
  await grace.evaluate(() => window.tureen.say("of no account").catch(() => {}));
  await heard(ada, "of no account");
  await ada.keyboard.press("Escape");
  const focused = await ada.evaluate(() => document.activeElement.id);
  await grace.keyboard.press("t");
  await write(grace, "<b id=injected>Hi</b>, Ada");
  await heard(ada, "<b id=injected>Hi</b>, Ada");
  const { badge, label } = await ada.evaluate(() => {
    const button = document.getElementById("control-chat");
    return { badge: button.querySelector(".badge").textContent, label: button.getAttribute("aria-label") };
  });
  await ada.focus("#control-chat");
  await ada.keyboard.press("Enter");
  const afterOpening = await ada.evaluate(() => document.querySelector("#control-chat .badge")?.textContent ?? null);
  await write(ada, "@bot is anybody there?");
  for (const page of [ada, grace]) await heard(page, "Ada, I heard you say: is anybody there?");
  await write(ada, "A longer message, to see how lines are broken where the panel is narrow, and aWordThatIsMuchTooLongToFitIntoOneLineOfThisPanelWhateverItsWidth.");
  const injected = await ada.evaluate(() => document.querySelectorAll("#injected").length);
  mkdirSync(options.screenshots, { recursive: true });
  for (const [device, width, height] of [["desktop", 1280, 800], ["phone", 390, 844]]) {
    await ada.setViewportSize({ width, height });
    for (const colorScheme of ["light", "dark"]) {
      await ada.emulateMedia({ colorScheme });
      await pause(600);
      await ada.screenshot({ path: join(options.screenshots, `${device}-${colorScheme}.png`) });
    }
  }
  await ada.keyboard.press("Escape");
  await pause(300);
  await ada.screenshot({ path: join(options.screenshots, "phone-dark-closed.png") });
  const messages = await Promise.all([ada, grace].map((page) =>
    page.evaluate(() => window.tureen.messages.map(({ own, name, text }) => ({ own, name, text })))));
  return { messages, badge, label, afterOpening, injected, focused };
});
