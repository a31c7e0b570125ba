import HTTP
import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values

@testable import Laboratory

@Suite("The services, in process", .timeLimit(.minutes(15)), .inTurn)
struct ServiceTests {
  @Test func `a tube goes through the laboratory`() async throws {
    let lab = try await LabBench()
    let sample = UniqueID.named("s").description
    let steps: [(String, String, JSON?, Int)] = [
      ("PUT", LabBench.sample("s"), LabBench.tube("TS-1"), 201),
      ("POST", LabBench.sample("s") + "/validation", nil, 200),
      ("PUT", LabBench.allocation("a"), LabBench.place(sample), 201),
      ("PUT", LabBench.allocation("a") + "/content", ["sampleId": .string(sample)], 200),
      ("PUT", "/sequencing/runs/\(UniqueID.named("r"))", ["sampleId": .string(sample), "assay": "wgs"], 201),
      (
        "PUT", "/notification/messages/\(UniqueID.named("m"))", ["recipient": "a@b.example", "subject": "Stored"], 201
      ),
    ]
    for (index, (method, path, body, status)) in steps.enumerated() {
      let reply = try await lab.send(method, path, body, key: "saga/\(index)/1", saga: "saga")
      #expect(reply.status == status, "\(method) \(path): \(reply.body.text())")
    }
    let summary = try await lab.send("GET", "/lab/summary").body
    #expect(summary["samplesByStatus"] == ["validated": 1])
    #expect(summary["positions"]?[0]?["sagaId"] == "saga")
    #expect(summary["positions"]?[0]?["position"] == "C4-1/B01/A01")
    #expect(summary["samples"]?[0]?["position"] == "C4-1/B01/A01")
    let effects = try await lab.send("GET", "/lab/effects?sagaId=saga").body["effects"]?.objectValue
    #expect(effects?.count == 6)
    #expect(effects?.allSatisfy { $0.value == 1 } == true)
    #expect(try await lab.send("GET", "/samples/barcodes/TS-1").body["status"] == "validated")
    #expect(try await lab.send("GET", "/samples/samples?barcode=TS-*").body["items"]?.arrayValue?.count == 1)
    #expect(try await lab.send("GET", "/samples/samples?barcode=XX*").body["items"]?.arrayValue?.count == 0)
    #expect(try await lab.send("GET", LabBench.sample("s") + "/events").body["items"]?.arrayValue?.count == 2)
    await lab.participants.close()
  }

  @Test("a manifest is checked without a change, with every mistake of a tube at its place")
  func acceptance() async throws {
    let lab = try await LabBench()
    func check(_ query: String) async throws -> LabBench.Reply {
      try await lab.send("GET", "/samples/acceptance?\(query)")
    }
    let good = "barcode=TS-1&type=rna&volumeMl=0.5&temperature=-80&patientId=P-1"
    #expect(try await check(good) == LabBench.Reply(status: 200, body: ["barcode": "TS-1", "isAcceptable": true]))
    #expect(try await check(good).status == 200)
    let warm = try await check("barcode=TS-1&type=rna&volumeMl=0.5&temperature=%2B4&collectedAt=2999-01-01T00:00:00Z")
    #expect(warm.status == 422 && warm.code == "samples.notAcceptable")
    #expect(warm.body["errors"]?.arrayValue?.map { $0["pointer"] } == ["/temperature", "/collectedAt"])
    let wrong = try await check("barcode=TS-1&type=hair&volumeMl=much")
    #expect(wrong.status == 422 && wrong.code == "lab.invalid")
    #expect(wrong.body["errors"]?.arrayValue?.map { $0["pointer"] } == ["/type", "/volumeMl"])
    _ = try await lab.send("PUT", LabBench.sample("s"), LabBench.tube("TS-1"), key: "k")
    #expect(try await check(good).code == "samples.barcodeTaken")
    _ = try await lab.send("DELETE", LabBench.sample("s"), key: "u", compensates: "k")
    #expect(try await check(good).code == "samples.barcodeTaken")
    await lab.participants.close()
  }

  @Test("a tube has one label at a time")
  func label() async throws {
    let lab = try await LabBench()
    let path = LabBench.sample("s") + "/label"
    #expect(try await lab.send("PUT", path, ["position": "C4-1/B01/A01"], key: "0").code == "lab.unknown")
    _ = try await lab.send("PUT", LabBench.sample("s"), LabBench.tube("TS-1"), key: "k")
    #expect(try await lab.send("PUT", path, key: "1").code == "lab.invalid")
    let printed = try await lab.send("PUT", path, ["position": "C4-1/B01/A01"], key: "2")
    #expect(printed.status == 201 && printed.body["label"]?["position"] == "C4-1/B01/A01")
    #expect(try await lab.send("PUT", path, ["position": "C4-1/B01/A02"], key: "3").code == "samples.wrongState")
    #expect(try await lab.send("DELETE", path, key: "4", compensates: "2").body["label"] == nil)
    #expect(try await lab.send("DELETE", path, key: "5").code == "lab.gone")
    let again = try await lab.send("PUT", path, ["position": "C4-1/B01/A02"], key: "6")
    #expect(again.body["label"]?["position"] == "C4-1/B01/A02")
    await lab.participants.close()
  }

  @Test("the registry gives an accession number out after its time, the same one for ever")
  func accession() async throws {
    let lab = try await LabBench()
    let path = "/accession/requests/\(UniqueID.named("q"))"
    #expect(try await lab.send("GET", path).code == "lab.unknown")
    let requested = try await lab.send("PUT", path, ["barcode": "TS-1"], key: "k")
    #expect(requested.status == 202 && requested.body["status"] == "requested" && requested.body["number"] == nil)
    lab.clock.advance(by: .seconds(9))
    #expect(try await lab.send("GET", path).body["status"] == "requested")
    lab.clock.advance(by: .seconds(1))
    let assigned = try await lab.send("GET", path).body
    #expect(assigned["status"] == "assigned")
    #expect(assigned["number"]?.stringValue?.count == 16)
    #expect(try await lab.send("PUT", path, ["barcode": "TS-1"], key: "k") == requested)
    #expect(try await lab.send("PUT", path, ["barcode": "TS-1"], key: "k2").code == "lab.exists")
    #expect(try await lab.send("GET", path).body["number"] == assigned["number"])
    await lab.participants.close()
  }

  @Test func `a command needs a key, and a repeat gets the first answer`() async throws {
    let lab = try await LabBench()
    let path = LabBench.sample("s")
    #expect(try await lab.send("PUT", path, LabBench.tube("TS-1")).code == "lab.keyMissing")
    let first = try await lab.send("PUT", path, LabBench.tube("TS-1"), key: "k")
    _ = try await lab.send("POST", path + "/validation", key: "v")
    #expect(try await lab.send("PUT", path, LabBench.tube("TS-1"), key: "k") == first)
    let reused = try await lab.send("PUT", path, LabBench.tube("TS-2"), key: "k")
    #expect(reused.status == 422 && reused.code == "lab.keyReused")
    #expect(try await lab.send("PUT", path, LabBench.tube("TS-1"), key: "k2").code == "lab.exists")
    await lab.participants.close()
  }

  @Test func `concurrent repeats take effect once`() async throws {
    let lab = try await LabBench()
    let replies = try await withThrowingTaskGroup(of: LabBench.Reply.self) { group in
      for _ in 0..<50 {
        group.addTask { try await lab.send("PUT", LabBench.allocation("a"), LabBench.place("s"), key: "k") }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(replies.count == 50 && replies.allSatisfy { $0 == replies[0] && $0.status == 201 })
    #expect(try await lab.send("GET", "/lab/effects?key=k").body["effects"] == ["k": 1])
    #expect(try await lab.send("GET", "/storage/positions").body["items"]?.arrayValue?.count == 1)
    await lab.participants.close()
  }

  @Test func `a box of 96 holds 96, however many ask at once`() async throws {
    let layout = LaboratoryLayout(
      locations: [.init(name: "C4", zone: .plus4, boxes: 1, largestTube: Volume(nanolitres: 50_000_000))],
      instruments: [])
    let lab = try await LabBench(layout: layout)
    let replies = try await withThrowingTaskGroup(of: LabBench.Reply.self) { group in
      for number in 0..<200 {
        group.addTask {
          try await lab.send("PUT", LabBench.allocation("\(number)"), LabBench.place("s\(number)"), key: "k\(number)")
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    let made = replies.filter { $0.status == 201 }
    #expect(made.count == 96)
    #expect(Set(made.compactMap { $0.body["position"]?.stringValue }).count == 96)
    #expect(replies.filter { $0.status == 409 && $0.code == "storage.full" }.count == 104)
    await lab.participants.close()
  }

  @Test func `an undo that comes first keeps its command from taking effect`() async throws {
    let lab = try await LabBench()
    let path = LabBench.allocation("a")
    let undo = try await lab.send("DELETE", path, key: "k/undo", compensates: "k")
    #expect(undo.status == 404)
    let late = try await lab.send("PUT", path, LabBench.place("s"), key: "k")
    #expect(late.status == 410 && late.code == "lab.undoneBefore")
    #expect(try await lab.send("PUT", path, LabBench.place("s"), key: "k2").code == "lab.undoneBefore")
    #expect(try await lab.send("DELETE", path, key: "k/undo", compensates: "k").status == 410)
    #expect(try await lab.send("GET", "/storage/positions").body["items"]?.arrayValue?.isEmpty == true)
    // The same for a command that doesn't create what it is about: another key may still do it.
    _ = try await lab.send("PUT", LabBench.sample("s"), LabBench.tube("TS-1"), key: "c")
    let validation = LabBench.sample("s") + "/validation"
    #expect(try await lab.send("DELETE", validation, key: "v/undo", compensates: "v").status == 404)
    #expect(try await lab.send("POST", validation, key: "v").code == "lab.undoneBefore")
    #expect(try await lab.send("POST", validation, key: "v2").status == 200)
    await lab.participants.close()
  }

  @Test func `an undo is harmless when nothing is left, and a barcode stays taken`() async throws {
    let lab = try await LabBench()
    let path = LabBench.sample("s")
    _ = try await lab.send("PUT", path, LabBench.tube("TS-1"), key: "k")
    let undone = try await lab.send("DELETE", path, key: "k/undo", compensates: "k")
    #expect(undone.status == 200 && undone.body["status"] == "voided")
    #expect(try await lab.send("DELETE", path, key: "k/undo", compensates: "k") == undone)
    #expect(try await lab.send("DELETE", path, key: "other").status == 410)
    #expect(try await lab.send("DELETE", LabBench.sample("none"), key: "other2").status == 404)
    let taken = try await lab.send("PUT", LabBench.sample("t"), LabBench.tube("TS-1"), key: "t")
    #expect(taken.status == 409 && taken.code == "samples.barcodeTaken")
    await lab.participants.close()
  }

  @Test func `keys, barcodes and positions outlive a restart`() async throws {
    let first = try await LabBench()
    let place = LabBench.place("s")
    let answer = try await first.send("PUT", LabBench.allocation("a"), place, key: "k")
    await first.participants.close()
    let second = try await LabBench(store: first.store)
    #expect(try await second.send("PUT", LabBench.allocation("a"), place, key: "k") == answer)
    let next = try await second.send("PUT", LabBench.allocation("b"), LabBench.place("s2"), key: "k2")
    #expect(next.status == 201 && next.body["position"] != answer.body["position"])
    await second.participants.close()
  }

  @Test func `a released position is free again`() async throws {
    let lab = try await LabBench()
    let first = try await lab.send("PUT", LabBench.allocation("a"), LabBench.place("s"), key: "k")
    #expect(try await lab.send("DELETE", LabBench.allocation("a"), key: "u", compensates: "k").status == 200)
    let second = try await lab.send("PUT", LabBench.allocation("b"), LabBench.place("s"), key: "k2")
    #expect(second.body["position"] == first.body["position"])
    await lab.participants.close()
  }

  @Test func `a wrong body is refused with every place`() async throws {
    let lab = try await LabBench()
    let body: JSON = ["barcode": "", "type": "blod", "volumeMl": 0]
    let reply = try await lab.send("PUT", LabBench.sample("s"), body, key: "k")
    #expect(reply.status == 422 && reply.code == "lab.invalid")
    #expect(
      reply.body["errors"]?.arrayValue?.compactMap { $0["pointer"]?.stringValue } == ["/barcode", "/type", "/volumeMl"])
    await lab.participants.close()
  }

  @Test func `a fault applies as its text says`() async throws {
    let lab = try await LabBench(faults: "storage.allocate:fail=STORAGE_FULL,once")
    let refused = try await lab.send("PUT", LabBench.allocation("a"), LabBench.place("s"), key: "k")
    #expect(refused.status == 409 && refused.code == "STORAGE_FULL")
    #expect(try await lab.send("PUT", LabBench.allocation("a"), LabBench.place("s"), key: "k").status == 201)
    let put = try await lab.send("PUT", "/lab/faults", ["faults": ["samples.create:status=503,match=TS-9*"]])
    #expect(put.status == 200)
    #expect(try await lab.send("PUT", LabBench.sample("s"), LabBench.tube("TS-91"), key: "a").status == 503)
    #expect(try await lab.send("PUT", LabBench.sample("s"), LabBench.tube("TS-1"), key: "b").status == 201)
    #expect(try await lab.send("PUT", "/lab/faults", ["faults": ["samples.crate:fail"]]).body["column"] == 9)
    await lab.participants.close()
  }

  @Test func `an answer that is dropped belongs to a command that took effect`() async throws {
    let lab = try await LabBench(faults: "samples.create:drop-answer,once")
    let request = try HTTPServerRequest(
      "PUT", LabBench.sample("s"), headers: ["Idempotency-Key": "k", "Content-Type": "application/json"],
      body: LabBench.tube("TS-1").bytes())
    guard case .hangUp = await lab.participants.handle(request).body else {
      Issue.record("it was answered")
      return
    }
    #expect(try await lab.send("PUT", LabBench.sample("s"), LabBench.tube("TS-1"), key: "k").status == 201)
    #expect(try await lab.send("GET", "/lab/effects?key=k").body["effects"] == ["k": 1])
    await lab.participants.close()
  }

  @Test func `a call that times out is held, and had no effect`() async throws {
    let lab = try await LabBench(faults: "samples.create:timeout,once")
    let held = Task { try await lab.send("PUT", LabBench.sample("s"), LabBench.tube("TS-1"), key: "k") }
    await lab.clock.waitForSleepers { !$0.isEmpty }
    #expect(try await lab.send("GET", "/lab/effects?key=k").body["effects"] == ["k": 0])
    lab.participants.releaseHeldCalls()
    #expect(try await held.value.status == 504)
    await lab.participants.close()
  }
}
