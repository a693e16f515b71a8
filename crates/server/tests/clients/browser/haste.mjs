// Somebody who writes faster than the server passes on. Options:
//   { url, room, messages }
// Asks the bot so many times at once; gives how many answers came, and what the page showed.

import { pause, scenario, until } from "./lib-browsers.mjs";

scenario(async (options, start) => {
  const full = new URL(options.url);
  const query = { join: "1", room: options.room, name: "Hasty", video: "0", audio: "0" };
  for (const [key, value] of Object.entries(query)) full.searchParams.set(key, value);
  const page = await (await start("chromium")).open(full.href);
  await until("the room", () => page.evaluate(() => window.tureen?.state === "joined"));
  // What is shown goes again after a while.
  await page.evaluate(() => {
    window.shown = [];
    const note = (node) => node.classList?.contains("toast") && window.shown.push(node.textContent);
    new MutationObserver((changes) => changes.forEach(({ addedNodes }) => addedNodes.forEach(note)))
      .observe(document.body, { childList: true, subtree: true });
  });
  const answers = () => page.evaluate(() => window.tureen.messages.filter(({ own }) => !own).length);
  // An answer says that both ways stand; what is said before is lost.
  await until("an answer", async () => {
    await page.evaluate(() => window.tureen.say("@bot first"));
    await pause(500);
    return (await answers()) > 0;
  });
  const first = await answers();
  // What was spent is saved up again.
  await pause(2500);
  await page.evaluate(async (messages) => {
    for (let number = 0; number < messages; number++) await window.tureen.say(`@bot ${number}`);
  }, options.messages);
  let last = -1;
  while (last !== (last = await answers())) await pause(500);
  const toasts = await page.evaluate(() => window.shown);
  return { answers: last - first, toasts };
});
