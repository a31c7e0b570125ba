import HTTP
import JSON
import Values
import Wire
import WorkflowEngine
import Workflows

extension API {
  var workflowRoutes: [Route] {
    [
      Route(.listWorkflows, listWorkflows),
      Route(.registerWorkflow, registerWorkflow),
      Route(.checkWorkflow, checkWorkflow),
      Route(.getWorkflow) { call in
        try show(engine.workflow(call.path.value("name"), version: nil))
      },
      Route(.getWorkflowVersion) { call in
        let (name, text) = (try call.path.value("name"), try call.path.value("version"))
        if text == "draft" { return try show(engine.latestDraft(of: name)) }
        guard let version = Int(version: text) else {
          throw Problem(
            Fault(
              ServerErrorCode.parameterInvalid,
              "A workflow's version is an integer from 1, draft, or -3 for draft 3, not \(quoted(text)).",
              parameter: "version"))
        }
        return try show(engine.workflow(name, version: version))
      },
    ]
  }

  private func listWorkflows(_ call: Call) async throws -> HTTPServerResponse {
    let limit = try call.query.integer("limit", in: 1...200, default: 50)
    let cursor = SealedCursor(list: "workflows")
    let after = try cursor.open(call.query.text("cursor"))
    let all = WorkflowVersions.grouping(engine.workflows())
    let rest = if let after { all.filter { after < $0.latest.definition.name } } else { all }
    let page = rest.prefix(limit)
    let next = page.count < rest.count ? page.last.map { cursor.seal($0.latest.definition.name) } : nil
    return .json(WorkflowListResponse(workflows: page.map { .init($0) }, next: next).json)
  }

  private func show(_ workflow: RegisteredWorkflow) throws -> HTTPServerResponse {
    let name = workflow.definition.name
    let versions = engine.workflows().map(\.definition).filter { $0.name.hasSameScalars(as: name) }.map(\.version)
    return .json(WorkflowResponse(workflow, versions: versions).json)
  }

  private func registerWorkflow(_ call: Call) async throws -> HTTPServerResponse {
    let isDraft = try call.query.flag("draft") ?? false
    let (user, from) = (try call.user(), try call.origin())
    try call.request.requireJSON()
    // If the body is not JSON, the sender is wrong, not the author: the status is 400, as for other requests.
    _ = try JSONDocument(body: call.request)
    let registered = try await engine.register(call.request.body, isDraft: isDraft, by: user, from: from)
    let response = RegistrationResponse(registered).json
    guard registered.isNew else { return .json(response) }
    let location = "/v1/workflows/\(registered.name.percentEncoded)/\(registered.version)"
    return .json(response, status: 201, headers: ["Location": location])
  }

  private func checkWorkflow(_ call: Call) async throws -> HTTPServerResponse {
    try call.request.requireJSON()
    return .json(CheckResponse(engine.check(call.request.body)).json)
  }
}
