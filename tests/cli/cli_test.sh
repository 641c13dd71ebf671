#!/bin/bash
# cli_test.sh LINGER CAPTURE: the command line from outside: exit codes, what goes to which stream,
# and what bad input gets. TAP on standard output.
set -uo pipefail
linger=$(readlink -f "$1")
capture=$(readlink -f "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME=$work/cache # of compiled patterns

count=0
bad=0
result() { # result GOOD NAME [WHY]
  count=$((count + 1))
  if [[ "$1" == 0 ]]; then
    echo "ok $count $2"
  else
    echo "not ok $count $2"
    sed 's/^/# /' <<<"${3:-}"
    bad=1
  fi
}

run() { # run ARGUMENT...: leaves code, out and err
  "$linger" "$@" >out 2>err </dev/null
  code=$?
}

# expect NAME CODE PATTERN ARGUMENT...: exit code, and a line on standard error (or output, for 0).
expect() {
  local name=$1 wanted=$2 pattern=$3 stream=err
  shift 3
  run "$@"
  ((wanted == 0)) && stream=out
  [[ "$code" == "$wanted" ]] && grep -qE -- "$pattern" "$stream"
  result $? "$name" "exit $code: linger $*"$'\n'"$(head -5 err)"
}

expect "help_goes_to_standard_output" 0 '^Usage: linger' --help
expect "settings_help_lists_a_setting" 0 '^tcpTimeout$' --help-settings
expect "version_names_the_program" 0 '^linger [0-9]' -V
expect "dump_config_shows_what_is_set" 0 '^tcpTimeout: 1h$' --dump-config --set tcpTimeout=60min
expect "the_json_schema_is_printed" 0 'schema' --dump-schema json-schema
expect "no_source_is_bad_usage" 2 '^linger: nothing to read'
expect "an_unknown_option_is_bad_usage" 2 'bogus' --bogus
expect "replay_and_live_exclude_each_other" 2 'exclude' -r "$capture" -i lo
expect "a_wrong_setting_is_bad_usage" 2 'the nearest is maxStreams' -r "$capture" --set maxStream=5
expect "a_setting_out_of_range_is_bad_usage" 2 'allowed: .* from 1 to 64' \
  -r "$capture" --set packetThreads=65
echo "nodee: x" >bad.yaml
expect "a_wrong_file_of_settings_names_its_line" 2 'bad.yaml:1: .*nearest is node' \
  -r "$capture" -c bad.yaml
for wrong in 'parsers: [none, http]' 'bpf: tcp port port' 'shardCores: 3-1' 'output: [gopher://x]'; do
  printf 'node: x\n%s\n' "$wrong" >wrong.yaml
  expect "what_is_wrong_with_the_setting_${wrong%%:*}_names_its_line" 2 'wrong.yaml:2: ' \
    -r "$capture" -c wrong.yaml
done
expect "a_wrong_filter_behind_the_options_does_not_blame_the_settings" 2 '^linger: BPF' \
  -r "$capture" --set bpf=tcp -o - tcp port port
expect "a_missing_file_of_settings_is_named" 2 'none.yaml: cannot be read' \
  -r "$capture" -c none.yaml
expect "a_bad_filter_is_shown" 2 'tcp port port' -r "$capture" tcp port port
expect "an_unknown_output_is_bad_usage" 2 'gopher' -r "$capture" -o gopher://x
expect "checking_settings_ends_well" 0 '' -T
expect "checking_a_wrong_setting_does_not" 2 'tcpTimeout' -T --set tcpTimeout=0
expect "nor_does_a_wrong_output" 2 'gopher' -T -o gopher://x
run -T -r "$capture" -o made -o /nowhere/x
[[ $code == 1 && ! -e made ]] && grep -q "^ok .*'made'" out && grep -q "^fail .*'/nowhere/x'" out
result $? "a_test_tries_the_outputs_of_a_replay" "exit $code: $(cat out err; ls)"

if ! "$linger" -V | grep -q 'Hyperscan: not'; then
  printf -- '- {name: good, pattern: ab}\n- name: bad\n  pattern: a(b\n' >rules.yaml
  expect "a_wrong_rule_is_named_with_file_line_and_reason" 2 \
    'rules.yaml:2: rule bad: pattern a.b: .*parenthesis' -r "$capture" --set rules=rules.yaml
  expect "checking_settings_compiles_rules" 2 'rules.yaml:2: rule bad' -T --set rules=rules.yaml
  echo '- {name: good, pattern: ab}' >rules.yaml
  expect "checking_settings_tells_what_rules_cost" 0 '^rules +1; ruleStreams: 9 of [0-9]+ bytes' \
    -T --set rules=rules.yaml --set ruleStreams=9
fi

expect "a_missing_capture_is_named" 1 'none.pcap' -r none.pcap
echo "this is no capture" >foreign.pcap
expect "a_foreign_file_is_named" 1 'foreign.pcap' -r foreign.pcap
[[ $(wc -l <err) == 1 ]]
result $? "a_foreign_file_gets_one_line" "$(cat err)"

expect "a_replay_writes_records_to_standard_output" 0 '^\{"@timestamp".*\}$' -r "$capture"
grep -q '[0-9] packets' err
result $? "a_replay_writes_its_summary_to_standard_error" "$(cat err)"
cp out plain
run -q -r "$capture"
[[ "$code" == 0 && ! -s err ]] && cmp -s out plain
result $? "quiet_writes_the_same_records_and_nothing_else" "$(cat err)"

run -q -r "$capture" -o file:records
[[ "$code" == 0 && ! -s out ]] && cmp -s records plain
result $? "a_file_gets_the_same_records" "$(cat err)"

"$linger" -q -r - <"$capture" >out 2>err
[[ $? == 0 ]] && cmp -s out plain
result $? "standard_input_gives_the_same_records" "$(cat err)"

run -q -r "$capture" net 203.0.113.255/32
[[ "$code" == 0 && ! -s out ]]
result $? "a_filter_that_fits_nothing_gives_no_record" "$(cat err)"

run -q -r "${capture%/*}/clock_back_three_hours.pcap" --set clockJump=1d
[[ "$code" == 0 && $(wc -l <out) == 2 ]] # of the default: late records, too
result $? "a_step_back_within_clock_jump_is_no_jump" "$(cat out err)"

size=$(stat -c %s "$capture")
head -c $((size - 5)) "$capture" >cut.pcap
run -r cut.pcap
[[ "$code" == 3 && -s out ]] && grep -q 'cut.pcap' err
result $? "a_capture_that_breaks_off_gives_records_and_says_where" "exit $code"$'\n'"$(cat err)"

{ head -c 20 "$capture" && printf '\223\0' && tail -c +23 "$capture"; } >unknown.pcap
run -r unknown.pcap
[[ "$code" == 0 && ! -s out ]] && grep -q 'link type 147 is not decoded' err
result $? "a_link_type_that_is_not_decoded_is_named" "exit $code"$'\n'"$(cat err)"

head -c 24 "$capture" >empty.pcap
run -r empty.pcap
[[ "$code" == 0 && ! -s out ]]
result $? "an_empty_capture_gives_no_record" "exit $code"$'\n'"$(cat err)"

expect "a_socket_that_nobody_listens_on_is_an_error_at_start" 1 'nobody.sock' \
  -r "$capture" -o unix:nobody.sock
expect "a_file_that_cannot_be_made_is_an_error_at_start" 1 '/nowhere/x' \
  -r "$capture" -o file:/nowhere/x

"$linger" -q -r "$capture" 2>err | true
[[ ${PIPESTATUS[0]} == 0 && ! -s err ]]
result $? "a_closed_pipe_ends_quietly" "$(cat err)"

if [[ -w /dev/full ]]; then
  "$linger" -r "$capture" >/dev/full 2>err
  [[ $? == 3 ]] && grep -qi 'no space' err
  result $? "a_full_disk_is_counted_and_said" "$(cat err)"
  for word in -T -V --help --dump-config; do
    "$linger" "$word" >/dev/full 2>err
    [[ $? == 1 ]] && grep -q '^linger: standard output: No space left' err
    result $? "what_a_full_disk_did_not_take_of_${word}_is_said" "$(cat err)"
  done
fi

run --profile -r "$capture"
grep -qE '^profile +[1-9][0-9]* cycles a packet at [1-9.]+[0-9]* GHz: receive .* record ' err &&
  grep -qE '^ +400( +[1-9][0-9]*){4}$' err
result $? "a_profile_says_where_the_time_goes_and_what_rates_that_carries" "$(cat err)"

for loss in record packet late-block; do
  run -q -r "$capture" --test-lose "$loss"
  [[ "$code" == 3 && -s err ]]
  result $? "the_ledger_catches_a_lost_$loss" "exit $code"$'\n'"$(cat err)"
done
run -q -r "$capture" --set packetThreads=2 --set hashSeed=1 --test-lose handoff
[[ "$code" == 3 && -s err ]]
result $? "the_ledger_catches_a_lost_handoff" "exit $code"$'\n'"$(cat err)"

# 60 SYNs from as many ports to one destination within half a second.
python3 - >flood.pcap <<'PYTHON'
import struct, sys
out = sys.stdout.buffer
out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
for i in range(60):
    tcp = struct.pack(">HHIIBBHHH", 1024 + i, 80, 7 * i, 0, 0x50, 2, 512, 0, 0)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    out.write(struct.pack("<IIII", 1_700_000_000, 8000 * i, 40, 40) + ip + tcp)
PYTHON
for threads in 1 4; do
  run -r flood.pcap --set synFloodSummary=true --set synFloodRate=20 \
    --set "packetThreads=$threads" --set hashSeed=1
  told=$(grep -c session-end out)
  summarised=$(grep -oP '"flood_sessions":\K[0-9]+' out | awk "{ all += \$1 } END { print all + 0 }")
  named=$(grep -c community_id out)  # of a flood there is none
  [[ "$code" == 0 && "$told" -le 20 && $((told + summarised)) == 60 && "$named" == "$told" ]]
  result $? "a_flood_is_told_whole_with_${threads}_threads" "$told told, $summarised summarised"
done

python3 - >long.pcap <<'PYTHON'
import struct, sys
out = sys.stdout.buffer
out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
query = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\1a\0" + struct.pack(">HH", 1, 1)
for i in range(3000):
    udp = struct.pack(">HHHH", 1024 + i, 53, 8 + len(query), 0) + query
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    out.write(struct.pack("<IIII", 1_700_000_000, i, len(ip + udp), len(ip + udp)) + ip + udp)
PYTHON
run -q -r long.pcap --set maxStreams=1000 --set readSessions=1000
told=$(grep -c '"dns":' out)
[[ "$code" == 0 && "$told" == 3000 ]] && ! grep -q application_missing out
result $? "a_session_that_ends_makes_room_for_what_is_read_of_the_next" "$told of 3000 tell their question"

# This shell has INT ignored in what it starts in the background.
mkfifo silent
"$linger" -r silent &
waiting=$!
(sleep 1; kill -INT $waiting; sleep 5; kill -KILL $waiting) 2>/dev/null &
wait $waiting
code=$?
kill $!
result $([[ $code == 130 ]]; echo $?) "what_waits_in_the_background_for_its_first_bytes_can_be_interrupted" "exit $code"

# timeout(1) signals its child, and then the group that both are in. The output waits meanwhile.
mkfifo slow
(exec <slow && sleep 4 && cat >ended) &
"$linger" -r long.pcap -o file:slow --set recordQueue=64 2>err &
sleep 2 && kill -INT $! && sleep 0.1 && kill -INT $!
wait
[[ "$(wc -l <ended)" == 3000 ]] && grep -q 'ledger *balanced' err
result $? "the_same_signal_again_at_once_is_one_request" "$(cat err)"

# A reader that takes nothing: all is read, and then while shards wait for it too. It says so before it is asked again.
mkfifo stuck
sleep 30 <stuck &
reader=$!
for queue in 65536 64; do
  "$linger" -r long.pcap -o stuck --set recordQueue=$queue 2>err &
  sleep 1 && kill -TERM $! && sleep 2 && kill -TERM $!
  wait $!
  [[ $? == 3 ]] && grep -q 'is waited for' err && grep -q 'abandoned [1-9]' err && grep -q 'ledger *balanced' err
  result $? "asked_twice_to_stop_it_waits_for_no_output_of_a_queue_of_$queue" "$(cat err)"
done
kill "$reader"

# stopped NAME BYTES ARGUMENT...: TERM ends what waits for the other end of the pipe `alone`, or, if
# BYTES is a number, for what comes after so many of a capture.
stopped() {
  rm -f alone && mkfifo alone
  [[ "$2" == none ]] || (exec >alone && head -c "$2" "$capture" && exec sleep 5) &
  local writer=$! waiting
  "$linger" -q "${@:3}" 2>err &
  waiting=$!
  sleep 0.5 && kill -TERM "$waiting"
  wait "$waiting"
  [[ $? == 143 ]]
  result $? "$1" "$(cat err)"
  kill "$writer" 2>/dev/null
}
stopped "an_input_that_nobody_writes_can_be_left" none -r alone
stopped "one_without_its_first_byte_too" 0 -r alone
stopped "one_without_its_first_packet_too" 24 -r alone
stopped "an_output_that_nobody_reads_can_be_left" none -r "$capture" -o alone

# What it says may be lost; the records may not.
"$linger" -r "$capture" >all 2>err
"$linger" -r "$capture" >out 2>/dev/full && cmp -s all out
result $? "standard_error_may_be_full" ""
"$linger" -r "$capture" >out 2>&- && cmp -s all out
result $? "standard_error_may_be_closed" "$(cat out)"
mkfifo full
sleep 60 <>full &
sleeper=$!
dd if=/dev/zero of=full bs=64k count=1 oflag=nonblock 2>err
timeout 20 "$linger" -r "$capture" -v >out 2>full && cmp -s all out
result $? "standard_error_may_have_a_reader_that_takes_nothing" "$(cat err)"
kill $sleeper

mkfifo settings
"$linger" -q -r "$capture" -c settings >out 2>err &
exec 5>settings # when it opens them, it has begun
kill -HUP $! && kill -USR1 $!
echo 'node: x' >&5
exec 5>&-
wait $!
result $? "a_signal_at_the_very_start_waits_for_the_run" "exit $?: $(cat err)"

cp "$capture" own.pcap
mkdir folder && cp "$capture" folder/1.pcap
expect "a_test_looks_into_the_captures" 1 "nowhere.pcap: No such file" -T -r "$capture" -r nowhere.pcap
expect "an_output_does_not_write_over_its_input" 2 'own.pcap.: it is read as a capture' \
  -r own.pcap -o file:./own.pcap
expect "nor_over_one_of_a_directory" 2 '1.pcap.: it is read as a capture' \
  -r folder -o folder/1.pcap
head -c 24 "$capture" >empty.pcap
expect "nor_over_one_without_packets" 2 'empty.pcap.: it is read as a capture' \
  -r empty.pcap -o empty.pcap
timeout 20 "$linger" -r - -o own.pcap <own.pcap >out 2>err
[[ $? == 2 ]] && grep -q 'own.pcap.: it is read as a capture' err
result $? "nor_over_standard_input" "$(cat err)"
cmp -s "$capture" own.pcap && cmp -s "$capture" folder/1.pcap && [ -s empty.pcap ]
result $? "and_leaves_both_as_they_were" ""
for setting in rules signatures; do
  echo '- {name: a, pattern: "needle"}' >own.yaml
  expect "nor_over_${setting}" 2 'own.yaml. is read, and would be written over' \
    -r "$capture" --set $setting=own.yaml -o ./own.yaml
done
echo 'node: own' >own.yaml
expect "nor_over_settings" 2 'own.yaml. is read, and would be written over' \
  -T -r "$capture" -c ./own.yaml -o file:own.yaml
result "$([[ $(<own.yaml) == 'node: own' ]]; echo $?)" "which_are_as_they_were" ""
expect "two_outputs_to_one_file_are_bad_usage" 2 'writes there too' -r "$capture" -o a -o file:./a
mkdir folder/more
run -r folder
grep -q 'folder/more is passed over' err
result $? "a_directory_in_a_directory_is_named" "$(cat err)"

# AddressSanitizer needs more than any limit.
if (ulimit -v 400000 && "$linger" -V) >/dev/null 2>&1; then
  (ulimit -v 400000 && exec "$linger" -r "$capture") >out 2>err
  [[ $? == 1 ]] && grep -q 'lower maxStreams' err
  result $? "memory_that_it_does_not_get_is_an_error_with_the_mend" "$(cat err)"
fi

echo "1..$count"
exit "$bad"
