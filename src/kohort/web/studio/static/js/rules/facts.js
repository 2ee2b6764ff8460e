// What the last preview says of each place: its count, its text, its problems.

const NONE = [];
const SILENT = ["NESTED_CONDITION_GROUP"]; // rule sets are groups in a group: here that is how it should be

export class Facts {
  constructor(preview) {
    this.conditions = preview?.conditions ?? {};
    this.issues = new Map();
    for (const issue of preview?.issues ?? []) {
      if (SILENT.includes(issue.code)) continue;
      const place = this.placeOf(issue.path ?? "");
      if (place) this.issues.set(place, [...(this.issues.get(place) ?? []), issue]);
    }
  }

  /** The condition or group that a problem is about: the longest part of its path that leads to one. */
  placeOf(path) {
    if (path in this.conditions) return path;
    const [place] = path.match(/^rule(\.conditions\[\d+\])*/) ?? [""];
    return place;
  }

  at(place) {
    const found = this.conditions[place];
    const issues = this.issues.get(place) ?? NONE;
    return { count: found?.count, text: found?.text ?? "", issues, own: issues };
  }
}
