// The fields of the faces, by face and the look that they were made for, and the differences between two looks.

import { Field } from "./field.js";
import { lookOn, sameProjection, sameReferences } from "./look.js";

export class Fields {
  constructor() {
    this.clear([]);
  }

  clear(faces) {
    this.areas = new Map(faces.filter((face) => face.area).map((face) => [face.index, face.area]));
    this.kept = new Map();
  }

  /** The field of a face for a look, or undefined. */
  get(face, look) {
    const kept = this.kept.get(face);
    const serves = kept && single(look, face) && sameProjection(kept.look, look, face) && sameReferences(kept.look, look);
    return serves ? kept.field : undefined;
  }

  /** Any field of a face: its masks serve whatever the look. */
  any(face) {
    return this.kept.get(face)?.field;
  }

  put(head, parts, look, size) {
    head.fields.forEach((one, i) => {
      this.kept.set(one.face, { look, size, field: new Field(one, parts[i]) });
    });
  }

  /** Faces that have no field for a look, or one for a result of another size. */
  missing(look, size) {
    return look.faces.filter((face) => single(look, face) && (!this.get(face, look) || this.kept.get(face).size !== size));
  }

  /** Shares of `look` less those of `from`, on the grid of the field's masks; each times what its look has under a name. */
  difference(field, look, from, times = null) {
    const of = (whole) => {
      if (!whole.faces.includes(field.face)) return null;
      const one = lookOn(whole, field.face);
      return scaled(field.shares(one), times ? one[times] : 1);
    };
    const [now, then] = [of(look), of(from)];
    if (now && then) for (let i = 0; i < now.length; i++) now[i] -= then[i];
    if (now) return now;
    for (let i = 0; i < then.length; i++) then[i] = -then[i];
    return then;
  }
}

/** Whether the network looks once at a face: of several rounds there is no field. */
function single(look, face) {
  return lookOn(look, face).refine === 1;
}

function scaled(shares, factor) {
  if (factor !== 1) for (let i = 0; i < shares.length; i++) shares[i] *= factor;
  return shares;
}
