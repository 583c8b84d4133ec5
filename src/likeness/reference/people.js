"use strict";
// Gathers corrections and stores them as a file; the groups themselves are made by `likeness people`.
const corrections = JSON.parse(document.getElementById("corrections").textContent);
const said = document.getElementById("said");
const ticked = () => [...document.querySelectorAll("input:checked")];
const key = (box) => box.dataset.key;

function done(boxes, sentence) {
  for (const box of boxes) box.checked = false;
  said.textContent = sentence;
}

document.getElementById("merge").onclick = () => {
  const boxes = ticked();
  if (boxes.length < 2) return done([], "Tick two faces or more.");
  const keys = new Set(boxes.map(key));
  corrections.merge.push([...keys]);
  corrections.split = corrections.split.filter(([one, other]) => !(keys.has(one) && keys.has(other)));
  done(boxes, `${boxes.length} faces are one person.`);
};

document.getElementById("split").onclick = () => {
  const boxes = ticked();
  let pairs = 0;
  for (const box of boxes) {
    const section = box.closest("section");
    if ("once" in section.dataset) continue; // each of these is alone already
    const others = [...section.querySelectorAll("input:not(:checked)")].map(key);
    for (const other of others) {
      corrections.split.push([key(box), other]);
      pairs += 1;
    }
    const apart = new Set(others);
    corrections.merge = corrections.merge
      .map((row) => (row.includes(key(box)) && row.some((one) => apart.has(one)) ? row.filter((one) => one !== key(box)) : row))
      .filter((row) => row.length > 1);
  }
  done(boxes, pairs ? `${boxes.length} faces are somebody else.` : "Tick some faces of a group, not all of it.");
};

document.getElementById("never").onclick = () => {
  const boxes = ticked();
  const never = new Set(corrections.never);
  for (const box of boxes) {
    if (!never.delete(key(box))) never.add(key(box));
    box.closest("label").classList.toggle("never", never.has(key(box)));
  }
  corrections.never = [...never].sort();
  done(boxes, `${never.size} faces are never used.`);
};

document.getElementById("save").onclick = () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${JSON.stringify(corrections, null, 2)}\n`], { type: "application/json" }));
  link.download = "corrections.json";
  link.click();
  URL.revokeObjectURL(link.href);
  said.textContent = "corrections.json was saved.";
};
