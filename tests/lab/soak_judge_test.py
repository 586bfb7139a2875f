#!/usr/bin/env python3
"""soak_judge.py on series that are made up, and soak_sample.py's reading of its moment. Prints TAP."""

import json
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import soak_judge  # noqa: E402
import soak_sample  # noqa: E402

CYCLES, WARM_UP, LOOKS = 180, 24, 6  # an hour's; looks in each cycle, of which the last two at rest
FACTS = {"cycles": CYCLES, "warm_up": WARM_UP, "disturbances": {"invitation": CYCLES}}
EVENTS = 'EVENT1(bang, BUG, "x", TEXT, y)\nEVENT0(full, HOST,  "x")\nEVENT0(hello,      INFO, "x")\n'
count = failures = 0


def case(name, fine):
    global count, failures
    count += 1
    failures += not fine
    print(f"{'ok' if fine else 'not ok'} {count} - {name}")


def life(value, series="heap_kb", node="laptop"):
    """Samples of a long life; value(at, rest) is asked for each look, at in cycles."""
    for cycle in range(-1, CYCLES):
        for look in range(LOOKS):
            rest = look >= LOOKS - 2 and cycle >= 0
            yield {
                "at": 0, "cycle": cycle, "rest": rest, "node": node, "pid": 7, "counters": {},
                "series": {series: value(cycle + look / LOOKS, rest)},
            }


def verdict(value, series="heap_kb", facts=None):
    """Whether the judge lets it pass."""
    result = soak_judge.report(list(life(value, series)), facts or FACTS)
    return soak_judge.judge(result, "laptop", soak_judge.kind_of(series))[0]


def noisy(level, spread):
    dice = random.Random(1)
    return lambda at, rest: level + dice.randint(-spread, spread)


def memory():
    apart = (CYCLES - WARM_UP) / 3  # cycles between the medians of two neighbours
    leak, once = soak_judge.STEADY_KB / apart, soak_judge.ONCE_KB
    case("memory that stays passes", verdict(lambda at, rest: 6000))
    case("memory that falls passes", verdict(lambda at, rest: 6000 - at))
    case("memory with noise around one level passes", verdict(noisy(6000, 100)))
    case("memory that grows steadily does not", not verdict(lambda at, rest: 6000 + 1.05 * leak * at))
    case("a little less than is allowed does", verdict(lambda at, rest: 6000 + 0.95 * leak * at))
    dice = noisy(0, 50)
    case("growth under noise is seen", not verdict(lambda at, rest: dice(at, rest) + 2 * leak * at))
    case("growth by small steps is seen", not verdict(lambda at, rest: 6000 + 4 * (1.1 * leak * at // 4)))
    case("growth that ends within the warm-up passes", verdict(lambda at, rest: 6000 + 100 * min(at, WARM_UP)))
    case("one step afterwards passes", verdict(lambda at, rest: 6000 + (at > CYCLES / 2) * 0.9 * once))
    case("one that is too high does not", not verdict(lambda at, rest: 6000 + (at > CYCLES / 2) * 1.1 * once))
    case("nor does a stair", not verdict(lambda at, rest: 6000 + at // 40 * 40))
    case("a peak while it is busy passes", verdict(lambda at, rest: 6000 if rest else 20000 + 100 * at))
    case("a few peaks at rest pass", verdict(lambda at, rest: 6000 + 9000 * (int(at) % 5 == 4)))
    for series, most in ("anonymous_kb", soak_judge.STEP_KB), ("rss_kb", soak_judge.STEP_KB + soak_judge.PROGRAM_KB):
        each = most / apart / 2
        case(f"{series} may find its size", verdict(lambda at, rest, each=each: 9000 + 0.9 * each * at, series))
        case("but not grow by any amount", not verdict(lambda at, rest, each=each: 9000 + 1.1 * each * at, series))

    def short_life(kb):
        facts = {"cycles": 12, "warm_up": 3}  # six cycles between the first window and the last
        return verdict(lambda at, rest: 6000 + kb / 6 * at, facts=facts)

    case("in a short life memory may grow more, as it gets warm", short_life(0.9 * soak_judge.WARMING_KB))
    case("but not by any amount", not short_life(1.1 * soak_judge.WARMING_KB))


def others():
    case("descriptors that stay pass", verdict(lambda at, rest: 27, "descriptors"))
    case("one more descriptor does not", not verdict(lambda at, rest: 27 + (at > 120), "descriptors"))
    case("one descriptor more in fifty cycles does not", not verdict(lambda at, rest: 27 + at // 50, "descriptors"))
    case("a table's size that comes and goes passes", verdict(lambda at, rest: 2 + 6 * (not rest), "kith_sessions"))
    case("one row more at rest does not", not verdict(lambda at, rest: 2 + (at > 120), "kith_sessions"))
    most = soak_judge.CONNECTIONS
    case("some connections more may wait for their end", verdict(lambda at, rest: 2 + most * (at > 120), "kith_quic_connections"))
    case("one in each cycle may not", not verdict(lambda at, rest: 2 + at // 1, "kith_quic_connections"))
    case("a gauge nobody has heard of is a table", not verdict(lambda at, rest: at, "kith_news"))
    case("a value that the system does not tell is left out", not verdict(lambda at, rest: None, "kith_news"))
    each = soak_judge.INVITATION_BYTES
    case("the database may take what invitations take", verdict(lambda at, rest: each * at, "database_bytes"))
    case("and no more", not verdict(lambda at, rest: 2 * each * at, "database_bytes"))
    without = {**FACTS, "disturbances": {}}
    case("without invitations nothing", not verdict(lambda at, rest: each * at, "database_bytes", without))
    most = soak_judge.DATABASE_LOG_BYTES
    case("its log may fill once", verdict(lambda at, rest: min(at * 60000, most), "database_log_bytes"))
    case("and not go on", not verdict(lambda at, rest: at * 60000, "database_log_bytes"))
    case("another file must not grow", not verdict(lambda at, rest: at, "other_files_bytes"))
    case("nor may there be one more", not verdict(lambda at, rest: 3 + (at > 100), "files"))


def windows():
    seen = [soak_judge.window_of(cycle, FACTS) for cycle in range(-1, CYCLES + 1)]
    lengths = [seen.count(name) for name in soak_judge.WINDOWS]
    case("the windows have as many cycles each", lengths == [(CYCLES - WARM_UP) / 3] * 3)
    case("the warm-up is in none", seen[: WARM_UP + 1] == [None] * (WARM_UP + 1) and seen[-1] is None)
    case("what can't be divided goes to the warm-up",
         [soak_judge.window_of(cycle, {"cycles": 6, "warm_up": 1}) for cycle in range(6)]
         == [None] * 3 + list(soak_judge.WINDOWS))
    short = {"cycles": 3, "warm_up": 1}
    case("too short a life has no windows", not any(soak_judge.window_of(cycle, short) for cycle in range(3)))
    few = soak_judge.report(list(life(lambda at, rest: 1))[: LOOKS * 100], FACTS)
    case("too few samples are no proof", not soak_judge.judge(few, "laptop", "memory")[0])
    case("nor is a node that nobody saw", not soak_judge.judge(few, "tablet", "memory")[0])


def counters():
    samples = list(life(lambda at, rest: 1))[:3]
    for sample, pid, received in zip(samples, (7, 7, 8), (100, 200, 50)):
        sample["pid"] = pid
        sample["counters"] = {"kith_vpn_received_bytes_total": received, "kith_events_total.hello": received}
    node = soak_judge.report(samples, FACTS)["nodes"]["laptop"]
    case("bytes are summed over the lives of a node", node["received_bytes"] == 250 and node["lives"] == 2)
    case("and so are events", node["events"] == {"hello": 250})

    def told(*names):
        result = {"nodes": {"laptop": {"events": dict.fromkeys(names, 3)}}}
        return soak_judge.troubles(result, EVENTS, ["full"])

    case("events for information are no trouble", not told("hello"))
    case("nor are those expected", not told("full"))
    case("a bug is", told("hello", "bang") == ["laptop: bang (3)"])
    case("and so is an event that the table does not have", told("surprise") == ["laptop: surprise (3)"])


def program():
    """From the samples' file to the exit status."""
    def judged(value, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            paths = {name: os.path.join(folder, name) for name in ("samples", "facts", "report")}
            with open(paths["samples"], "w", encoding="utf-8") as file:
                file.writelines(json.dumps(sample) + "\n" for sample in life(value))
                file.write('{"cut off')
            with open(paths["facts"], "w", encoding="utf-8") as file:
                json.dump(FACTS, file)
            judge = [sys.executable, os.path.join(HERE, "soak_judge.py")]
            with open(paths["report"], "w", encoding="utf-8") as file:
                subprocess.run([*judge, "report", paths["samples"], paths["facts"]], stdout=file, check=True)
            done = subprocess.run(
                [*judge, "judge", paths["report"], *arguments], capture_output=True, text=True, check=False
            )
            return done.returncode, done.stdout

    status, text = judged(lambda at, rest: 9000, "laptop", "memory")
    case("the program says yes, and what it saw", status == 0 and "heap_kb: 9000, 9000, 9000; +0" in text)
    status, text = judged(lambda at, rest: 9000 + 10 * at, "laptop", "memory")
    case("and no", status == 1 and "IT GREW" in text)

    with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
        nothing = soak_sample.moment(file.name)
        file.write("12 rest\n")
        file.flush()
        something = soak_sample.moment(file.name)
    case("a moment that is being written is none", nothing == {"cycle": -1, "rest": False})
    case("a moment is read", something == {"cycle": 12, "rest": True})


memory()
others()
windows()
counters()
program()
print(f"1..{count}")
sys.exit(1 if failures else 0)
