// Times in controls of the type datetime-local, which show minutes of the local zone.

/** A time for the control. */
export function toLocal(time) {
  const date = new Date(time ?? "");
  if (Number.isNaN(date.getTime())) return "";
  return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

/** The time that the control shows, for the API. */
export const fromLocal = (text) => (text && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : "");
