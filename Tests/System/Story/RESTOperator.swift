import Foundation
import JSON
import Testing

/// Does it as a program would.
struct RESTOperator: StoryOperator {
  private let story: Story
  private let headers = ["Saga-User": Story.person]

  init(_ story: Story) { self.story = story }

  func findStuck() async throws -> [String: String] {
    let page = try await story.site.call(
      "GET", "\(story.engine.url)/v1/sagas?stuck=true&workflow=sample-processing&limit=200"
    ).body
    var found: [String: String] = [:]
    for line in page["sagas"]?.arrayValue ?? [] {
      let id = try #require(line["id"]?.stringValue)
      let saga = try await story.site.call("GET", "\(story.engine.url)/v1/sagas/\(id)").body
      let stuck = try #require(saga["stuck"]?.arrayValue?.first)
      #expect(stuck["step"] == "storeSample" && stuck["phase"] == "undo")
      let verbs: [JSON] = stuck["verbs"]?.arrayValue ?? []
      #expect(verbs.contains(JSON.string("retry")))
      found[id] = "\(line["failureCode"]?.stringValue ?? "") \(stuck.text())"
    }
    return found
  }

  func previewRetry() async throws -> (takes: Int, refuses: Int, selection: String) {
    let preview = try await story.site.call(
      "POST", "\(story.engine.url)/v1/operations",
      body: ["verb": "retry", "filter": ["status": "stuck", "workflow": "sample-processing"], "dryRun": true],
      headers: headers
    ).body
    return (
      preview["takes"]?.intValue ?? -1, preview["refuses"]?.intValue ?? -1,
      try #require(preview["selection"]?.stringValue)
    )
  }

  func runRetry(selection: String, reason: String) async throws -> String {
    let begun = try await story.site.call(
      "POST", "\(story.engine.url)/v1/operations",
      body: [
        "verb": "retry", "filter": ["status": "stuck", "workflow": "sample-processing"],
        "selection": .string(selection), "rate": 10, "reason": .string(reason),
      ], headers: headers)
    #expect(begun.status == 202, "\(begun.body.text())")
    let id = try #require(begun.body["id"]?.stringValue)
    var now = begun.body
    while now["endedAt"] == nil {
      now = try await story.site.call("GET", "\(story.engine.url)/v1/operations/\(id)").body
      let counted = ["done", "refused", "left"].compactMap { now[$0]?.intValue }
      #expect(counted.reduce(0, +) == Story.turning, "\(counted)")
    }
    return id
  }

  func resolve(_ saga: String, step: String, reason: String) async throws {
    let answer = try await story.site.call(
      "POST", "\(story.engine.url)/v1/sagas/\(saga)/resolve",
      body: ["step": .string(step), "outcome": "undone", "reason": .string(reason)], headers: headers)
    #expect(answer.status == 200, "\(answer.body.text())")
  }
}
