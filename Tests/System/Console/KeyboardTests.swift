import Foundation
import JSON
import TestSupport
import Testing

@Suite("The console by keyboard alone", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct KeyboardTests {
  @Test("An operator does the night's work with keys alone, and always sees where the focus is")
  func night() async throws {
    try await ConsoleSite.run { site in
      var stuck: [String] = []
      for number in 901...903 { stuck.append(try await site.saga(number, until: "stuck")) }
      try await site.removeFaults()
      let page = try await site.page()
      let keys = Keys(page: page)
      try await page.wait("document.querySelector('.incident summary')")

      // 1. The incident: unfold it, and open one of its sagas.
      try await keys.press("Tab")
      #expect(try await page.run("document.activeElement.id") == "skip")
      try await keys.press("Enter")
      #expect(try await page.run("document.activeElement.id") == "main")
      try await keys.tab(to: "node.localName === 'summary'")
      try await keys.press("Enter")
      try await page.wait("document.querySelector('.incident details[open] .plain-list a')")
      try await keys.tab(to: "node.closest('.unfolded')")
      // The page is drawn again when something happens elsewhere. The focus stays on its link.
      let link = try await page.run("document.activeElement.getAttribute('href')")
      try await site.saga(4, until: "completed")
      try await page.waitForText("1", in: "a[href=\"#/sagas?status=completed\"] .tile-number")
      #expect(try await page.run("document.activeElement.getAttribute('href')") == link)
      #expect(try await page.run("document.activeElement.closest('.unfolded') !== null") == true)
      try await keys.press("Enter")

      // 2. The saga says why; a retry takes the name, once, and a reason.
      try await page.waitForText("the undo of step storeSample failed for good", in: "#why")
      let saga = try #require(try await page.run("location.hash.split('/')[2]").stringValue)
      #expect(stuck.contains(saga))
      try await keys.press("r")
      try await page.wait("document.activeElement.id === 'user-name'")
      try await page.type("Nora Nachtschicht")
      try await keys.press("Enter")
      try await page.wait("document.activeElement.id === 'reason'")
      try await page.type("the freezer is shut again")
      try await keys.tab(to: "node.type === 'submit'")
      try await keys.press("Enter")
      try await page.wait("!document.querySelector('dialog')")
      try await keys.isSeen()
      try await page.waitForText("compensated", in: "#status")
      try await keys.isSeen()
      #expect(try await site.history(of: saga).contains { $0["data"]?["reason"] == "the freezer is shut again" })

      // 3. Back where they were.
      try await page.run("history.back()")
      try await page.wait("location.hash === '#/' && document.querySelector('.incident .count').innerText === '2'")
      try await keys.isSeen()

      // 4. A saga from its workflow's page, with a form.
      try await keys.press("g")
      try await keys.press("w")
      try await page.wait("document.querySelector('a[href=\"#/workflow/sample-processing\"]')")
      try await keys.tab(to: "node.getAttribute('href') === '#/workflow/sample-processing'")
      try await keys.press("Enter")
      try await page.wait("document.querySelector('[data-key=start]')")
      try await keys.tab(to: "node.dataset.key === 'start'")
      try await keys.press("Enter")
      try await fill(page, keys)
      try await page.wait("location.hash.startsWith('#/saga/')")
      try await page.waitForText("completed", in: "#status")
      try await keys.isSeen()

      // 5. Find, help, close.
      try await keys.press("/")
      #expect(try await page.run("document.activeElement.id") == "search-text")
      try await page.type("TS-100902")
      try await keys.press("Enter")
      try await page.wait(
        "location.hash.startsWith('#/sagas?q=') && document.querySelectorAll('tbody tr').length === 1")
      try await keys.press("j")
      #expect(try await page.run("document.activeElement.matches('[data-row-link]')") == true)
      try await keys.press("?", shift: true)
      try await page.waitForText("next, previous saga", in: "dialog")
      try await keys.press("Escape")
      try await page.wait("!document.querySelector('dialog')")
      #expect(try await page.run("document.activeElement.matches('[data-row-link]')") == true)
      #expect(page.complaints == [])
    }
  }

  /// Fills in the form of a start: each field by its label, with `Tab` from one to the next.
  private func fill(_ page: ChromiumPage, _ keys: Keys) async throws {
    try await page.wait("document.querySelector('dialog form')")
    let values = [
      "barcode": "TS-100007", "volumeMl": "4", "patientId": "P-7", "assay": "WGS-30x",
      "requestedBy": "ward-7@lab.example",
    ]
    // A list of choices takes the beginning of a choice.
    let choices = ["type": "blood", "temperature": "+4", "priority": "routine"]
    let label = "document.activeElement.labels?.[0]?.textContent ?? ''"
    for _ in 0..<40 {
      let name = try await page.run(label).stringValue ?? ""
      if let value = values[name] { try await page.type(value) }
      if let choice = choices[name] { for character in choice { try await keys.press(String(character)) } }
      if try await page.run("document.activeElement.type === 'submit'") == true { break }
      try await keys.press("Tab")
    }
    try await keys.press("Enter")
  }

  @Test("Tab reaches every part of every page, each stop is seen, and none is hidden", arguments: [1_280, 400])
  func everyStop(_ width: Int) async throws {
    try await ConsoleSite.run { site in
      let saga = try await site.saga(901, until: "stuck")
      try await site.saga(1, until: "completed")
      let page = try await site.page(as: "nora")
      try await page.size(width, 800)
      let keys = Keys(page: page)
      let places = [
        "#/", "#/sagas", "#/operations", "#/tasks", "#/workflows", "#/workflow/sample-processing", "#/engine",
        "#/notices", "#/audit", "#/saga/\(saga)",
      ]
      for place in places {
        try await page.open("about:blank")
        try await page.open("\(site.engine.url)/\(place)")
        try await page.wait("document.querySelector('main h1') && !document.querySelector('main .placeholder')")
        try await page.waitForText("Live", in: "#live")
        // Behind the last stop of the page come those of the browser itself.
        var isAtEnd = false
        for _ in 0..<300 where !isAtEnd {
          try await keys.press("Tab")
          isAtEnd = try await page.run(Self.isLast) == true
        }
        #expect(isAtEnd, "\(place) has no end")
        // Shift and Tab lead back.
        try await keys.press("Tab", shift: true)
      }
    }
  }

  /// Whether the focus is on the last control of the page.
  private static let isLast = """
    (() => {
      const all = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
        .filter((node) => !node.disabled && node.checkVisibility() && node.tabIndex >= 0);
      return document.activeElement === all.at(-1);
    })()
    """
}

/// A keyboard, and a look at the focus after each key.
struct Keys: Sendable {
  let page: ChromiumPage

  /// Presses a key. Then the focus must be seen.
  func press(_ key: String, shift: Bool = false) async throws {
    try await page.press(key, shift: shift)
    try await isSeen()
  }

  /// Goes from stop to stop until a condition about `node`, the element that has the focus, is true.
  func tab(to condition: String) async throws {
    for _ in 0..<80 {
      try await press("Tab")
      if try await page.run("((node) => !!(\(condition)))(document.activeElement)") == true { return }
    }
    throw Chromium.Failure(description: "Tab does not reach: \(condition)")
  }

  /// Checks that an element has the focus, that it is drawn with a ring, and that it is on the screen with nothing over it.
  func isSeen() async throws {
    do {
      try await page.wait("(\(Self.fault)) === ''", seconds: 10)
    } catch {
      throw Chromium.Failure(description: try await page.run(Self.fault).text())
    }
  }

  private static let fault = """
    (() => {
      const node = document.activeElement;
      if (!node || node === document.body) return 'nothing has the focus';
      const what = node.outerHTML.slice(0, 150);
      const style = getComputedStyle(node);
      const box = node.querySelector(':scope > .box');
      const hasRing = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
        || node.id === 'main' && style.boxShadow !== 'none'
        || box && parseFloat(getComputedStyle(box).strokeWidth) >= 3;
      if (!hasRing) return 'no ring: ' + what;
      const { left, top, bottom, width, height } = node.getBoundingClientRect();
      if (bottom <= 0 || top >= innerHeight || width === 0) return 'not on the screen: ' + what;
      const x = Math.min(Math.max(left + Math.min(width / 2, 20), 0), innerWidth - 1);
      const y = Math.min(Math.max(top + Math.min(height / 2, 10), 0), innerHeight - 1);
      const over = document.elementFromPoint(x, y);
      if (over && !node.contains(over) && !over.contains(node)) return `behind ${over.outerHTML.slice(0, 80)}: ${what}`;
      return '';
    })()
    """
}
