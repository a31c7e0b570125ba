// The queues of tasks: who waits for a worker, and which worker has what.
import * as api from "./api.js";
import { h, put } from "./dom.js";
import { number, since } from "./format.js";
import { idsOf, titleAndID } from "./labels.js";
import { every, gently, listen } from "./live.js";
import { failed } from "./verbs.js";

/** What a step's task waits for, or who has it: `worker robot-2 since 5 min ago, last heartbeat 3 s ago`. */
export function taskText(task) {
  if (!task) return null;
  if (!task.worker) {
    return h("div.quiet", `offered in queue ${task.queue} `, since(task.offeredAt),
      task.lastAskedAt ? [", last asked ", since(task.lastAskedAt)] : ", no worker has asked since the engine started");
  }
  return h("div.quiet", "taken by worker ", h("strong", task.worker), " ", since(task.takenAt),
    task.heartbeatAt ? [", last heartbeat ", since(task.heartbeatAt)] : ", no heartbeat yet");
}

const table = (names, rows) => h("div.scroll", { tabindex: 0, role: "region", "aria-label": names[0] },
  h("table.list", h("thead", h("tr", names.map((name) => h("th", { scope: "col" }, name)))), h("tbody", rows)));

const queueRow = (queue) => h("tr", h("th", { scope: "row" }, queue.queue), h("td", number(queue.waiting)), h("td", number(queue.taken)),
  h("td", number(queue.workersWaiting)), h("td", queue.lastAskedAt ? since(queue.lastAskedAt) : "not since the engine started"));

const taskRow = (task, id) => h("tr",
  h("th", { scope: "row" }, h("a", { href: `#/saga/${task.saga}`, title: task.saga }, titleAndID({ id: task.saga, title: task.title, key: task.sagaKey }, id)), " ", task.phase === "undo" && "undo of ", task.step,
    task.attempt > 1 && h("span.quiet", ` attempt ${task.attempt}`)),
  h("td", task.queue), h("td", task.status === "held" ? "paused" : task.status), h("td", since(task.offeredAt)),
  h("td", task.worker ? [task.worker, " ", since(task.takenAt)] : "–"), h("td", task.heartbeatAt ? since(task.heartbeatAt) : "–"),
  h("td.reason", task.progress));

export function tasksPage(main) {
  const content = h("div", h("p.quiet.placeholder", "Loading …"));
  main.append(h("h1", "Tasks"), content);
  const load = async () => {
    try {
      const { queues, tasks, more } = await api.tasks();
      put(content, queues.length === 0 ? h("section", h("p.quiet", "No saga offers a task, and no worker has asked for one.")) : [
        h("section", { "aria-labelledby": "queues-title" }, h("h2", { id: "queues-title" }, "Queues"),
          table(["Queue", "Tasks waiting", "With workers", "Workers waiting", "Last asked"], queues.map(queueRow))),
        h("section", { "aria-labelledby": "tasks-title" }, h("h2", { id: "tasks-title" }, "Tasks"),
          tasks.length > 0 ? table(["Task", "Queue", "Status", "Offered", "Worker", "Last heartbeat", "Progress"], tasks.map((task) => taskRow(task, idsOf(tasks.map((one) => one.saga)))))
            : h("p.quiet", "None."),
          more > 0 && h("p.notice", `${number(more)} more tasks are not shown. “saga tasks --limit 1000” shows more.`))]);
    } catch (problem) {
      failed(content, problem);
    }
  };
  // A heartbeat writes no event, so the page also asks from time to time.
  const stop = every(5000, load);
  const ends = listen(gently(load));
  load();
  return { refresh: load, leave: () => { stop(); ends(); } };
}
