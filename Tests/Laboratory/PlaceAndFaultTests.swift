import HTTP
import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import Laboratory

@Suite("Lanes, positions, searches and faults, in process", .timeLimit(.minutes(15)), .inTurn)
struct PlaceAndFaultTests {
  @Test("A lane is booked once and is free again after its release, and all lanes can be full")
  func lanes() async throws {
    let layout = LaboratoryLayout(
      locations: [], instruments: [.init(name: "SEQ", flowCells: ["FC1"], lanesPerFlowCell: 2)])
    let lab = try await LabBench(layout: layout)
    for name in ["r", "q", "p"] {
      let body: JSON = ["sampleId": .string(name), "assay": "wgs"]
      #expect(try await lab.send("PUT", run(name), body, key: name).status == 201)
    }
    func free() async throws -> JSON? {
      try await lab.send("GET", "/sequencing/lanes?instrument=SEQ").body["instruments"]?[0]?["lanes"]
    }
    #expect(try await free() == ["FC1/1", "FC1/2"])
    let named: JSON = ["flowCell": "FC1", "lane": 2]
    #expect(try await lab.send("POST", run("r") + "/lanes", named, key: "r2").status == 201)
    #expect(try await lab.send("POST", run("q") + "/lanes", named, key: "q2").code == LabErrorCode.laneTaken)
    #expect(try await free() == ["FC1/1"])
    let any = try await lab.send("POST", run("q") + "/lanes", [:], key: "q1")
    #expect(any.status == 201)
    #expect(any.body["lanes"] == ["FC1/1"])
    #expect(try await lab.send("POST", run("q") + "/lanes", [:], key: "q1") == any)
    #expect(try await lab.send("POST", run("p") + "/lanes", [:], key: "p1").code == LabErrorCode.lanesFull)
    #expect(try await lab.send("POST", run("p") + "/lanes", ["flowCell": "FC9"], key: "p2").status == 422)
    #expect(try await lab.send("DELETE", run("r") + "/lanes/FC1/2", key: "u", compensates: "r2").status == 200)
    #expect(try await free() == ["FC1/2"])
    #expect(try await lab.send("POST", run("p") + "/lanes", [:], key: "p1").status == 201)
    #expect(try await lab.send("GET", "/sequencing/lanes?instrument=NONE").status == 404)
    await lab.participants.close()
  }

  @Test("A tube moves to a position that is named, or to any of a zone; the old one is free again")
  func move() async throws {
    let lab = try await LabBench()
    _ = try await lab.send("PUT", LabBench.allocation("a"), LabBench.place("s"), key: "a")
    _ = try await lab.send("PUT", LabBench.allocation("b"), LabBench.place("t"), key: "b")
    let position = LabBench.allocation("a") + "/position"
    let taken = try await lab.send("POST", position, ["position": "C4-1/B01/A02"], key: "m1")
    #expect(taken.code == LabErrorCode.positionTaken)
    let named = try await lab.send("POST", position, ["position": "C4-1/B02/H12"], key: "m2")
    #expect(named.status == 200)
    #expect(named.body["position"] == "C4-1/B02/H12")
    let zone = try await lab.send("POST", position, ["temperature": "-80"], key: "m3")
    #expect(zone.body["temperature"] == "-80")
    #expect(zone.body["position"] == "F80-1/B01/A01")
    #expect(try await lab.send("POST", position, ["position": "nowhere"], key: "m4").status == 422)
    // Blood isn't kept in nitrogen.
    #expect(try await lab.send("POST", position, ["temperature": "LN2"], key: "m5").code == LabErrorCode.temperature)
    let held = try await lab.send("GET", "/storage/positions").body["items"]?.arrayValue
    #expect(Set(held?.compactMap { $0["position"]?.stringValue } ?? []) == ["C4-1/B01/A02", "F80-1/B01/A01"])
    await lab.participants.close()
  }

  @Test("Capacity and free positions count what is held")
  func capacity() async throws {
    let lab = try await LabBench(
      layout: LaboratoryLayout(
        locations: [.init(name: "C4", zone: .plus4, boxes: 1, largestTube: Volume(nanolitres: 50_000_000))],
        instruments: []))
    let path = "/storage/free?type=blood&temperature=%2B4&volumeMl=4.5&limit=2"
    let before = try await lab.send("GET", path).body
    #expect(before == ["free": 96, "positions": ["C4/B01/A01", "C4/B01/A02"]])
    _ = try await lab.send("PUT", LabBench.allocation("a"), LabBench.place("s"), key: "a")
    let after = try await lab.send("GET", path).body
    #expect(after == ["free": 95, "positions": ["C4/B01/A02", "C4/B01/A03"]])
    let capacity = try await lab.send("GET", "/storage/capacity").body
    #expect(capacity["zones"] == [["temperature": "+4", "positions": 96, "free": 95, "held": 1]])
    #expect(capacity["locations"]?[0]?["held"] == 1)
    // No box takes a litre.
    let large = try await lab.send("GET", "/storage/free?type=blood&temperature=%2B4&volumeMl=1000").body
    #expect(large["free"] == 0)
    #expect(try await lab.send("GET", "/storage/free?type=blood&temperature=%2B4").status == 422)
    await lab.participants.close()
  }

  @Test("Searches by date take in their beginning, and not their end")
  func dates() async throws {
    let lab = try await LabBench()
    let start = lab.clock.now()
    for number in 0..<3 {
      _ = try await lab.send("PUT", LabBench.sample("\(number)"), LabBench.tube("TS-\(number)"), key: "\(number)")
      lab.clock.advance(by: .seconds(3_600))
    }
    let second = Timestamp(milliseconds: start.milliseconds + 3_600_000).description
    let third = Timestamp(milliseconds: start.milliseconds + 7_200_000).description
    for extra in ["", "&barcode=TS-*"] {
      func found(_ query: String) async throws -> [String] {
        let items = try await lab.send("GET", "/samples/samples?\(query)\(extra)").body["items"]?.arrayValue
        return items?.compactMap { $0["barcode"]?.stringValue } ?? []
      }
      #expect(try await found("createdFrom=\(second)") == ["TS-1", "TS-2"])
      #expect(try await found("createdBefore=\(second)") == ["TS-0"])
      #expect(try await found("createdFrom=\(second)&createdBefore=\(third)") == ["TS-1"])
      #expect(try await found("createdFrom=2000-01-01&createdBefore=2000-01-02") == [])
    }
    #expect(try await lab.send("GET", "/samples/samples?createdFrom=yesterday").status == 400)
    await lab.participants.close()
  }

  @Test("A slow call takes effect when its time has passed")
  func slow() async throws {
    let lab = try await LabBench(faults: "samples.create:slow=2s,once")
    let slow = Task { try await lab.send("PUT", LabBench.sample("s"), LabBench.tube("TS-1"), key: "k") }
    let due = lab.clock.now() + .seconds(2)
    await lab.clock.waitForSleepers { $0.contains(due) }
    #expect(try await lab.send("GET", "/lab/effects?key=k").body["effects"] == ["k": 0])
    lab.clock.advance(by: .seconds(2))
    #expect(try await slow.value.status == 201)
    #expect(try await lab.send("GET", "/lab/effects?key=k").body["effects"] == ["k": 1])
    await lab.participants.close()
  }

  @Test("A fault applies to every third matching call, as often as its text says")
  func every() async throws {
    let lab = try await LabBench(faults: "samples.create:status=503,every=3,times=2,match=TS-*")
    var statuses: [Int] = []
    for number in 1...10 {
      // One that doesn't fit isn't counted.
      _ = try await lab.send("PUT", LabBench.sample("x\(number)"), LabBench.tube("XX-\(number)"), key: "x\(number)")
      statuses.append(
        try await lab.send("PUT", LabBench.sample("\(number)"), LabBench.tube("TS-\(number)"), key: "\(number)").status)
    }
    #expect(statuses == [201, 201, 503, 201, 201, 503, 201, 201, 201, 201])
    let faults = try await lab.send("GET", "/lab/faults").body["faults"]
    #expect(faults?[0]?["struck"] == 2)
    await lab.participants.close()
  }

  @Test("A fault that drops every second answer strikes each second call, on any connection")
  func dropEverySecond() async throws {
    let lab = try await LabBench(faults: "samples.create:drop-answer,every=2")
    func isLost(_ name: String, number: Int) async throws -> Bool {
      let request = try HTTPServerRequest(
        "PUT", LabBench.sample(name), headers: ["Idempotency-Key": name, "Content-Type": "application/json"],
        body: LabBench.tube("TS-\(name)").bytes(), numberOnConnection: number)
      if case .hangUp = await lab.participants.handle(request).body { return true }
      return false
    }
    #expect(try await !isLost("a", number: 1))
    #expect(try await isLost("b", number: 7))
    // The repeat of what was lost is a call of its own.
    #expect(try await !isLost("b", number: 2))
    #expect(try await isLost("c", number: 1))
    #expect(try await lab.send("GET", "/lab/faults").body["faults"]?[0]?["struck"] == 2)
    #expect(try await lab.send("GET", "/lab/effects?key=b").body["effects"] == ["b": 1])
    await lab.participants.close()
  }

  private func run(_ name: String) -> String { "/sequencing/runs/\(UniqueID.named(name))" }
}
