// Yes, Change or No to each picture. A page that the studio serves hands them over at once; any other keeps them in the browser
// until they are sent by e-mail or saved as a file, which `likeness acceptance import` reads.

const told = JSON.parse(document.getElementById("answering").textContent);
const { client, reply, words, all, marks } = told;
const rows = [...document.querySelectorAll(".answer")];
const bar = document.querySelector(".send");
// With what the picture looks like: another proof of the same name, or of the same picture done anew, has no answer yet.
const mark = (picture) => marks[all.indexOf(picture)];
const key = (picture) => `likeness.answer\n${client}\n${picture}\n${mark(picture)}`;

// What the studio's own server has of this client; null where it is not the studio's that shows this page.
const service = location.protocol.startsWith("http")
  ? fetch(`answers?client=${encodeURIComponent(client)}`)
      .then((answer) => (answer.ok ? answer.json() : null))
      .catch(() => null)
  : Promise.resolve(null);

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
const today = () => new Date(Date.now() - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 10);

/** What was answered to a picture: {answer, note}, or null. */
function kept(picture) {
  try {
    return JSON.parse(localStorage.getItem(key(picture)));
  } catch {
    return null;
  }
}

const answers = new Map(all.map((picture) => [picture, kept(picture)]).filter(([, answer]) => answer));

// Some browsers keep nothing for pages out of files, or for each by itself: what was answered goes along with the links between them.
try {
  const carried = JSON.parse(decodeURIComponent(location.hash.slice(1)) || "[]");
  for (const [picture, given, of] of carried) if (all.includes(picture) && of === mark(picture)) answers.set(picture, given);
} catch {
  // Another page's place, and no answers.
}
for (const link of document.querySelectorAll("a[data-carry]")) {
  link.addEventListener("click", () => {
    const carried = [...answers].map(([picture, given]) => [picture, given, mark(picture)]);
    link.hash = encodeURIComponent(JSON.stringify(carried));
  });
}

async function give(row, picture, answer, note) {
  // The day is that of the answer: a file that is saved again says the same of what did not change.
  const given = { answer, note: note.trim(), day: today() };
  if (await service) {
    const sent = await fetch("answers", {
      method: "PUT",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ picture, client, answer, note: given.note, mark: mark(picture) }),
    }).catch(() => null);
    row.querySelector(".reached").textContent = sent?.ok ? words.kept : words.lost;
    if (!sent?.ok) return;
  }
  answers.set(picture, given);
  try {
    localStorage.setItem(key(picture), JSON.stringify(given));
  } catch {
    // Without a store the answers last as long as the page.
  }
  show();
}

function show() {
  for (const row of rows) {
    const given = answers.get(row.dataset.picture);
    for (const button of row.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.value === given?.answer));
    const note = row.querySelector("textarea");
    note.hidden = !given || given.answer === "accepted";
    if (document.activeElement !== note) note.value = given?.note ?? "";
  }
  bar.querySelector(".answered").textContent = fill(words.count, { done: answers.size, all: all.length });
  bar.querySelector("button").disabled = answers.size === 0;
  if (mail) {
    mail.hidden = answers.size === 0;
    mail.href = mailTo().href;
  }
}

for (const row of rows) {
  const { picture } = row.dataset;
  const note = row.querySelector("textarea");
  for (const button of row.querySelectorAll("button")) {
    button.addEventListener("click", async () => {
      await give(row, picture, button.value, button.value === "accepted" ? "" : note.value);
      if (button.value === "revise") note.focus();
    });
  }
  note.addEventListener("change", () => give(row, picture, answers.get(picture).answer, note.value));
}

/** The answers as a table for `likeness acceptance import`. */
function table() {
  const cell = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [...answers].map(([picture, { answer, note, day }]) =>
    [picture, client, answer, note.replace(/\s+/g, " "), day].map(cell).join(","));
  return ["picture,client,answer,note,day", ...lines, ""].join("\n");
}

/** The table in letters that no mail program breaks. */
function coded() {
  const bytes = new TextEncoder().encode(table());
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return `[[likeness ${text} likeness]]`;
}

const file = `answers${client ? `-${client.replace(/[^\p{L}\p{N}]+/gu, "-")}` : ""}.csv`;

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
  link.download = file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/** A mail to the studio; where all answers would make its address longer than some systems take, it asks for the file. */
function mailTo() {
  const subject = fill(words.subject, { count: answers.size });
  const lines = [...answers].map(([picture, { answer, note }]) => `${picture}: ${words[answer]}${note ? ` (${note})` : ""}`);
  const address = (body) => `mailto:${reply}?subject=${encodeURIComponent(subject)}&body=${encodeURIComponent(body)}`;
  const whole = address([...lines, "", words.machine, coded()].join("\r\n"));
  const fits = whole.length < 1900;
  return { href: fits ? whole : address(fill(words.attach, { file })), fits };
}

const mail = bar.querySelector("a.mail");
mail?.addEventListener("click", () => mailTo().fits || save());
bar.querySelector("button").addEventListener("click", save);
bar.querySelector(".ways").hidden = true;
show();
service.then((known) => {
  bar.querySelector(".ways").hidden = known !== null;
  if (known === null) return;
  answers.clear();
  for (const [picture, given] of Object.entries(known)) {
    if (all.includes(picture) && given.mark === mark(picture)) answers.set(picture, given);
  }
  show();
});
