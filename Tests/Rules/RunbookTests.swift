import Foundation
import JSON
import TestSupport
import Testing

/// The alert rules, their pages, their tests and the dashboard belong together.
@Suite("Alerts have runbooks", .timeLimit(.minutes(15)), .inTurn)
struct RunbookTests {
  private static func text(_ path: String) throws -> String {
    String(decoding: try Repository.bytes(path), as: UTF8.self)
  }

  /// The alerts of the rules, in order.
  private static func alerts() throws -> [String] {
    try text("deploy/prometheus/rules.yml").matches(of: #/- alert: ([A-Za-z]+)\n/#).map { String($0.output.1) }
  }

  @Test("Each alert has one page with the four headings, and each page has an alert")
  func pages() throws {
    let alerts = try Self.alerts()
    #expect(alerts.count > 20 && Set(alerts).count == alerts.count)
    #expect(try Repository.names(in: "docs/runbooks", ending: ".md") == alerts.map { "\($0).md" }.sorted())
    for alert in alerts {
      let headings = try Self.text("docs/runbooks/\(alert).md").split(separator: "\n").filter { $0.hasPrefix("#") }
      #expect(
        headings == ["# \(alert)", "## What it means", "## Why", "## What to look at", "## What to do"], "\(alert)")
    }
  }

  @Test("Each alert has a severity, a summary and its page, and the guide links to the page")
  func annotations() throws {
    let rules = try Self.text("deploy/prometheus/rules.yml").components(separatedBy: "- alert: ").dropFirst()
    let guide = try Self.text("docs/operating.md")
    for rule in rules {
      let alert = rule.prefix { $0 != "\n" }
      #expect(rule.contains("severity: page") || rule.contains("severity: ticket"), "\(alert)")
      #expect(rule.contains("summary: '"), "\(alert)")
      #expect(rule.contains("runbook: docs/runbooks/\(alert).md\n"), "\(alert)")
      #expect(guide.contains("| [\(alert)](runbooks/\(alert).md) |"), "\(alert)")
    }
  }

  @Test("A link of a page leads to a file")
  func links() throws {
    for name in try Repository.names(in: "docs/runbooks", ending: ".md") {
      for link in try Self.text("docs/runbooks/\(name)").matches(of: #/\]\(([^)#]+)[^)]*\)/#) {
        let file = Repository.root.appendingPathComponent("docs/runbooks/\(link.output.1)").standardizedFileURL
        #expect(FileManager.default.fileExists(atPath: file.path), "\(name): \(link.output.1)")
      }
    }
  }

  @Test("The tests of the rules make each alert fire, and see it resolve")
  func testsOfRules() throws {
    let tests = try Self.text("deploy/prometheus/rules-test.yml").components(separatedBy: "eval_time:").dropFirst()
    for alert in try Self.alerts() {
      let own = tests.filter { $0.contains("alertname: \(alert)\n") }
      #expect(own.contains { $0.contains("exp_labels") }, "\(alert) never fires")
      #expect(own.last?.contains("exp_alerts: []") == true, "\(alert) never resolves")
    }
  }

  /// `MetricsTests` compare the guide with the engine's metrics.
  @Test("Every metric in the rules and the dashboard is in the guide")
  func metrics() throws {
    let guide = try Self.text("docs/operating.md")
    for path in ["deploy/prometheus/rules.yml", "deploy/grafana/tracseq-sagas.json"] {
      for match in try Self.text(path).matches(of: #/\b(tracseq|process)_[a-z_]+/#) {
        let name = String(match.output.0).replacing(#/_(bucket|sum|count)$/#, with: "")
        #expect(guide.contains("`\(name)`") || guide.contains("`\(name){"), "\(path): \(name)")
      }
    }
  }

  @Test("Each panel of the dashboard has a title, a query and a place of its own")
  func dashboard() throws {
    let dashboard = try JSON(parsing: try Repository.bytes("deploy/grafana/tracseq-sagas.json"))
    let panels = dashboard["panels"]?.arrayValue ?? []
    #expect(panels.count > 30)
    #expect(Set(panels.compactMap { $0["id"]?.intValue }).count == panels.count)
    for panel in panels {
      #expect(panel["title"]?.stringValue?.isEmpty == false)
      if panel["type"] != "row" {
        #expect(panel["targets"]?.arrayValue?.isEmpty == false, "\(panel["title"] ?? .null)")
      }
    }
    let places = panels.compactMap { panel in panel["gridPos"].map { "\($0["x"] ?? .null) \($0["y"] ?? .null)" } }
    #expect(Set(places).count == panels.count)
  }
}
