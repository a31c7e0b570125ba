/// The files of `console/`. A test holds the two together and, with RENEW_COPIES=1 in its environment, writes this folder
/// again.
enum ConsoleText {
  static let files: [(name: String, text: String)] = [
    ("api.js", apiJs),
    ("app.css", appCss),
    ("app.js", appJs),
    ("batch.js", batchJs),
    ("dom.js", domJs),
    ("format.js", formatJs),
    ("forms.js", formsJs),
    ("gantt.js", ganttJs),
    ("graph.js", graphJs),
    ("icon.svg", iconSvg),
    ("icons.js", iconsJs),
    ("index.html", indexHtml),
    ("json.js", jsonJs),
    ("live.js", liveJs),
    ("model.js", modelJs),
    ("operations.js", operationsJs),
    ("overview.js", overviewJs),
    ("saga.js", sagaJs),
    ("sagas.js", sagasJs),
    ("verbs.js", verbsJs),
    ("why.js", whyJs),
    ("workflows.js", workflowsJs),
  ]
}
