import Foundation
import JSON
import Testing

/// The requests of a saga's page, and what it shows of the answers.
extension ConsoleTests {
  /// Records the versions that the page requests, and holds back the answer for one of them.
  private static let watch = """
    (() => {
      window.asked = [];
      window.texts = [];
      window.held = null;
      const real = window.fetch;
      window.fetch = async (path, options) => {
        const version = /[?]version=([0-9]+)/.exec(path)?.[1];
        if (version) asked.push(version);
        const answer = await real(path, options);
        if (version && version === held) await new Promise((done) => { window.release = done; });
        return answer;
      };
      const why = document.getElementById('why');
      new MutationObserver(() => texts.push(why.innerText)).observe(why, { childList: true, subtree: true });
      window.slide = (version) => {
        const slider = document.getElementById('when');
        slider.value = version;
        slider.dispatchEvent(new Event('input'));
      };
    })()
    """

  @Test("The slider requests a past state once it rests, and shows no late answer")
  func past() async throws {
    try await ConsoleSite.run { site in
      let saga = try await site.saga(901, until: "stuck")
      let page = try await site.page("#/saga/\(saga)", as: "nora")
      try await page.waitForText("the undo of step storeSample failed for good", in: "#why")
      try await page.run(Self.watch)

      // 1. A moving slider requests nothing. Once it rests, the page shows the engine's answer.
      try await page.run("for (let version = 1; version <= 8; version += 1) slide(version)")
      try await page.waitForText("As it was after event 8:", in: "#why")
      #expect(try await page.run("asked") == ["8"])
      let then = try await site.site.call("GET", "\(site.engine.url)/v1/sagas/\(saga)?version=8").body
      let sentence = try #require(then["why"]?["sentence"]?.stringValue)
      try await page.waitForText(sentence, in: "#why")
      for step in then["steps"]?.arrayValue ?? [] {
        let (id, status) = (step["id"]?.stringValue ?? "", step["status"]?.stringValue ?? "")
        let drawn = try await page.run("document.querySelector('[data-key=\"node \(id)\"]').getAttribute('aria-label')")
        #expect(drawn.stringValue?.hasPrefix("\(id): \(status)") == true, "\(drawn) is \(status)")
      }

      // 2. The answer for event 3 comes when the slider is at event 5: the page does not show it.
      try await page.run("held = '3'; slide(3)")
      try await page.wait("window.release")
      try await page.run("slide(5)")
      try await page.waitForText("As it was after event 5:", in: "#why")
      try await page.run("release(); slide(6)")
      try await page.waitForText("As it was after event 6:", in: "#why")
      #expect(try await page.run("texts.some((one) => one.includes('event 3:'))") == false)

      // 3. The page keeps it: no version is requested twice.
      for version in [3, 5, 8] {
        try await page.run("slide(\(version))")
        try await page.waitForText("As it was after event \(version):", in: "#why")
      }
      #expect(try await page.run("asked") == ["8", "3", "5", "6"])
      try await page.click(".slider button")
      try await page.waitForText("The saga is stuck because", in: "#why")
      #expect(page.complaints == [])
    }
  }

  @Test("The console shows an error of the API with its code and a link to the page of the code")
  func errors() async throws {
    try await ConsoleSite.run { site in
      let saga = try await site.saga(1, until: "completed")
      let page = try await site.page(as: "nora")
      try await page.run(
        """
        (() => {
          const real = window.fetch;
          window.fetch = (path, options) => (path.includes('/timeline')
            ? Promise.resolve(new Response('{"type": "/errors/route.notFound", "title": "Not found", "detail": "There is no timeline.", "code": "route.notFound"}', { status: 404 }))
            : real(path, options));
        })()
        """)
      try await page.run("location.hash = '#/saga/\(saga)'")
      try await page.waitForText("There is no timeline.", in: ".problem")
      #expect(
        try await page.run("document.querySelector('.problem a').getAttribute('href')") == "/errors/route.notFound")
    }
  }

  @Test("A wait that ended because the saga turned back is shown as ended, and not as a failure")
  func endedWait() async throws {
    try await ConsoleSite.run { site in
      let url = site.engine.url
      let workflow: JSON = [
        "name": "sideways", "version": 1, "timeout": "1h",
        "steps": [
          ["id": "begin", "delay": ["for": "10ms"]],
          ["id": "approve", "dependsOn": ["begin"], "signal": ["name": "approval"]],
          [
            "id": "run", "dependsOn": ["begin"], "retry": ["maxAttempts": 1], "compensation": "none",
            "http": [
              "service": "sequencing", "method": "PUT", "path": "/runs/${steps.run.uuid}",
              "body": ["sampleId": "S-1", "barcode": "TS-1009-1"],
            ],
          ],
        ],
      ]
      #expect(try await site.site.call("POST", "\(url)/v1/workflows", body: workflow).status == 201)
      let started = try await site.site.call("POST", "\(url)/v1/workflows/sideways/sagas", body: ["input": [:]])
      let id = try #require(started.body["id"]?.stringValue)
      try await site.wait(for: id, "compensated")
      let page = try await site.page("#/saga/\(id)", as: "nora")
      for (step, status) in [("approve", "ended"), ("run", "failed"), ("begin", "succeeded")] {
        try await page.wait(
          "document.querySelector('[data-key=\"node \(step)\"]')?.getAttribute('aria-label').startsWith('\(step): \(status)')"
        )
      }
      let badges = try await page.run(
        "[...document.querySelectorAll('section[aria-label=Steps] tbody tr')].map((one) => one.querySelector('.badge').className)"
      )
      #expect(badges == ["badge tone-good", "badge tone-quiet", "badge tone-bad"])
      #expect(page.complaints == [])
    }
  }

  @Test("The page of a saga offers the options of the engine's explanation, in their order")
  func nextSteps() async throws {
    try await ConsoleSite.run { site in
      let url = site.engine.url
      let workflow: JSON = [
        "name": "release", "version": 1, "timeout": "1h",
        "steps": [["id": "approve", "timeout": "30m", "signal": ["name": "approval"]]],
      ]
      #expect(try await site.site.call("POST", "\(url)/v1/workflows", body: workflow).status == 201)
      let started = try await site.site.call("POST", "\(url)/v1/workflows/release/sagas", body: ["input": [:]])
      let id = try #require(started.body["id"]?.stringValue)
      let page = try await site.page("#/saga/\(id)", as: "nora")
      try await page.waitForText("The saga waits at step approve for the signal “approval”.", in: "#why")
      let offered = try await page.run(
        "[...document.querySelectorAll('.next li')].map((one) => one.querySelector('button').textContent)")
      #expect(offered == ["Send approval …", "Skip a step …"])
      try await page.waitForText("Send the signal that step approve waits for.", in: ".next")
      // For a paused saga the first option is to resume it.
      try await page.click(".actions button[data-verb=pause]")
      try await page.click("#reason")
      try await page.type("the reader is broken")
      try await page.click("dialog button[type=submit]")
      try await page.waitForText("The saga is paused by nora: “the reader is broken”.", in: "#why")
      try await page.wait("document.querySelector('.next button').textContent === 'Resume …'")
      try await page.waitForText("nora: paused", in: ".acts")
      #expect(page.complaints == [])
    }
  }
}
