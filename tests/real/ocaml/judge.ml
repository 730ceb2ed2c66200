(* A client and a server of Versioned_typed_tcp whose bytes are made and read by OCaml's own bin_prot.

   What each sends is drawn from a seed, the client's name and the number of the message, so that the other
   end knows every value that has to arrive. The first difference ends the program with a message and status 1. *)

open Bin_prot.Std

(* -- the wire ------------------------------------------------------------------------------------------- *)

type mode = Test | Production [@@deriving bin_io]

type hello =
  { name : string
  ; mode : mode
  ; send_version : int
  ; recv_version : int
  ; credentials : string
  }
[@@deriving bin_io]

type time = float [@@deriving bin_io]
type header = { time_stamp : time; body_length : int } [@@deriving bin_io]

(* -- the messages: every kind of type that bin_prot derives from plain OCaml ---------------------------- *)

type side = Buy | Sell [@@deriving bin_io]
type price = { units : int; fraction : float option } [@@deriving bin_io]
type leg = { side : side; price : price; ratio : int * float; remark : bool * string * unit } [@@deriving bin_io]

type shape =
  | Point
  | Circle of float
  | Box of (float * float) * int
  | Named of { label : string; inner : shape option }
  | Group of shape list
[@@deriving bin_io]

(* More than 256 constructors: the index takes two bytes. *)
type wide =
  | W0 | W1 | W2 | W3 | W4 | W5 | W6 | W7 | W8 | W9 | W10 | W11 | W12 | W13 | W14 | W15
  | W16 | W17 | W18 | W19 | W20 | W21 | W22 | W23 | W24 | W25 | W26 | W27 | W28 | W29 | W30 | W31
  | W32 | W33 | W34 | W35 | W36 | W37 | W38 | W39 | W40 | W41 | W42 | W43 | W44 | W45 | W46 | W47
  | W48 | W49 | W50 | W51 | W52 | W53 | W54 | W55 | W56 | W57 | W58 | W59 | W60 | W61 | W62 | W63
  | W64 | W65 | W66 | W67 | W68 | W69 | W70 | W71 | W72 | W73 | W74 | W75 | W76 | W77 | W78 | W79
  | W80 | W81 | W82 | W83 | W84 | W85 | W86 | W87 | W88 | W89 | W90 | W91 | W92 | W93 | W94 | W95
  | W96 | W97 | W98 | W99 | W100 | W101 | W102 | W103 | W104 | W105 | W106 | W107 | W108 | W109 | W110 | W111
  | W112 | W113 | W114 | W115 | W116 | W117 | W118 | W119 | W120 | W121 | W122 | W123 | W124 | W125 | W126 | W127
  | W128 | W129 | W130 | W131 | W132 | W133 | W134 | W135 | W136 | W137 | W138 | W139 | W140 | W141 | W142 | W143
  | W144 | W145 | W146 | W147 | W148 | W149 | W150 | W151 | W152 | W153 | W154 | W155 | W156 | W157 | W158 | W159
  | W160 | W161 | W162 | W163 | W164 | W165 | W166 | W167 | W168 | W169 | W170 | W171 | W172 | W173 | W174 | W175
  | W176 | W177 | W178 | W179 | W180 | W181 | W182 | W183 | W184 | W185 | W186 | W187 | W188 | W189 | W190 | W191
  | W192 | W193 | W194 | W195 | W196 | W197 | W198 | W199 | W200 | W201 | W202 | W203 | W204 | W205 | W206 | W207
  | W208 | W209 | W210 | W211 | W212 | W213 | W214 | W215 | W216 | W217 | W218 | W219 | W220 | W221 | W222 | W223
  | W224 | W225 | W226 | W227 | W228 | W229 | W230 | W231 | W232 | W233 | W234 | W235 | W236 | W237 | W238 | W239
  | W240 | W241 | W242 | W243 | W244 | W245 | W246 | W247 | W248 | W249 | W250 | W251 | W252 | W253 | W254 | W255
  | W256
  | Carrying of string
[@@deriving bin_io]

let constant_wides = 257

type request =
  { number : int
  ; account : string
  ; legs : leg list
  ; limits : (string * int option) array
  ; curve : float array
  ; shape : shape
  ; wide : wide
  ; nested : int option option
  ; integers : int list
  ; sign : char
  ; boxed : int32 * int64 * nativeint
  }
[@@deriving bin_io]

type answer =
  | Accepted
  | Rejected of string
  | Filled of { at : price; fills : (int * float * string) list }
  | Snapshot of leg array * shape option * int
[@@deriving bin_io]

type reply = { number : int; answer : answer } [@@deriving bin_io]

(* The body of the recorded messages. *)
type sample = { seq : int; body : string } [@@deriving bin_io]

(* -- failing -------------------------------------------------------------------------------------------- *)

let who = ref "judge"
let checked = Atomic.make 0

(* Unlike an exception, this ends the program from any thread. *)
let fail format =
  Printf.ksprintf
    (fun text ->
      Printf.eprintf "%s: %s\n%!" !who text;
      Unix._exit 1)
    format

let guarded f = try f () with error -> fail "%s" (Printexc.to_string error)

let watch_time seconds =
  let wait () =
    Thread.delay seconds;
    fail "timed out after %g s, with %d messages checked" seconds (Atomic.get checked)
  in
  ignore (Thread.create wait () : Thread.t)

(* -- bin_prot to and from strings ----------------------------------------------------------------------- *)

let hex text =
  let digits = Buffer.create (2 * String.length text) in
  String.iter (fun byte -> Printf.bprintf digits "%02x" (Char.code byte)) text;
  Buffer.contents digits

let unhex text =
  String.init (String.length text / 2) (fun i -> Char.chr (int_of_string ("0x" ^ String.sub text (2 * i) 2)))

let encode (writer : _ Bin_prot.Type_class.writer) value =
  let size = writer.size value in
  let buf = Bin_prot.Common.create_buf size in
  let stop = writer.write buf ~pos:0 value in
  if stop <> size then fail "bin_prot wrote %d bytes where it had announced %d" stop size;
  String.init size (Bigarray.Array1.get buf)

let decode what (reader : _ Bin_prot.Type_class.reader) data =
  let size = String.length data in
  let buf = Bin_prot.Common.create_buf size in
  Bin_prot.Common.blit_string_buf data buf ~len:size;
  let pos_ref = ref 0 in
  match reader.read buf ~pos_ref with
  | value when !pos_ref = size -> value
  | _ -> fail "%s: %d of its %d bytes are left over" what (size - !pos_ref) size
  | exception Bin_prot.Common.Read_error (error, pos) ->
    fail "%s: at byte %d of %d: %s" what pos size (Bin_prot.Common.ReadError.to_string error)
  | exception Bin_prot.Common.Buffer_short -> fail "%s: its %d bytes end too early" what size

let rec first_difference a b i =
  if i < String.length a && i < String.length b && a.[i] = b.[i] then first_difference a b (i + 1) else i

(* Equal bytes as well as equal values: -0. is 0. for [compare], and one value can be written at several lengths. *)
let check_same what (codec : _ Bin_prot.Type_class.t) ~expected data =
  let wanted = encode codec.writer expected in
  if compare (decode what codec.reader data) expected <> 0 || not (String.equal data wanted)
  then begin
    let at = first_difference data wanted 0 in
    let show text = hex (String.sub text at (min 40 (String.length text - at))) in
    fail "%s differs from byte %d on: got %s, expected %s" what at (show data) (show wanted)
  end

(* -- drawing values ------------------------------------------------------------------------------------- *)

module R = Random.State

let pick r choices = choices.(R.int r (Array.length choices))

(* 63 random bits, cut to a random width: every length of an int comes up, of either sign. *)
let draw_int r =
  let bits = R.bits r lxor (R.bits r lsl 30) lxor (R.bits r lsl 60) in
  match R.int r 4 with
  | 0 ->
    let edge = pick r [| 0; 1 lsl 7; 1 lsl 8; 1 lsl 15; 1 lsl 16; 1 lsl 31; 1 lsl 32; 1 lsl 53; max_int; min_int |] in
    (if R.bool r then edge else -edge) + R.int r 3 - 1
  | _ -> bits asr R.int r 63

(* The not-a-number is a quiet one, whose bits survive being copied as a float anywhere. *)
let odd_floats =
  [| 0.; -0.; 1.; -1.; infinity; neg_infinity; epsilon_float; min_float; max_float; Int64.float_of_bits 1L
   ; Int64.float_of_bits 0x7ff8_0000_0000_0001L
  |]

let draw_float r = if R.int r 3 = 0 then pick r odd_floats else ldexp (R.float r 2. -. 1.) (R.int r 200 - 100)

let draw_string r =
  let size =
    match R.int r 60 with
    | 0 -> pick r [| 127; 128; 255; 256 |]
    | 1 -> if R.int r 8 = 0 then pick r [| 32767; 65535; 65536 |] else 129
    | _ -> R.int r 24
  in
  String.init size (fun _ -> Char.chr (R.int r 256))

(* 64 bits, of which the highest may differ from the next. *)
let draw_int64 r = Int64.shift_left (Int64.of_int (draw_int r)) (R.int r 2)
let draw_option draw r = if R.bool r then Some (draw r) else None

let draw_array draw r =
  let size = if R.int r 50 = 0 then 126 + R.int r 4 else R.int r 5 in
  Array.init size (fun _ -> draw r)

let draw_list draw r = Array.to_list (draw_array draw r)
let draw_price r = { units = draw_int r; fraction = draw_option draw_float r }

let draw_leg r =
  { side = (if R.bool r then Buy else Sell)
  ; price = draw_price r
  ; ratio = draw_int r, draw_float r
  ; remark = R.bool r, draw_string r, ()
  }

let rec draw_shape depth r =
  match R.int r (if depth = 0 then 3 else 5) with
  | 0 -> Point
  | 1 -> Circle (draw_float r)
  | 2 -> Box ((draw_float r, draw_float r), draw_int r)
  | 3 -> Named { label = draw_string r; inner = draw_option (draw_shape (depth - 1)) r }
  | _ -> Group (List.init (R.int r 4) (fun _ -> draw_shape (depth - 1) r))

(* A constant constructor is represented by its index: the only way to draw one without writing them all again. *)
let draw_wide r = if R.int r 4 = 0 then Carrying (draw_string r) else (Obj.magic (R.int r constant_wides : int) : wide)

let draw_request r number =
  { number
  ; account = draw_string r
  ; legs = draw_list draw_leg r
  ; limits = draw_array (fun r -> draw_string r, draw_option draw_int r) r
  ; curve = draw_array draw_float r
  ; shape = draw_shape 5 r
  ; wide = draw_wide r
  ; nested = draw_option (draw_option draw_int) r
  ; integers = draw_list draw_int r
  ; sign = Char.chr (R.int r 256)
  ; boxed = Int64.to_int32 (draw_int64 r), draw_int64 r, Int64.to_nativeint (draw_int64 r)
  }

let draw_answer r =
  match R.int r 4 with
  | 0 -> Accepted
  | 1 -> Rejected (draw_string r)
  | 2 -> Filled { at = draw_price r; fills = draw_list (fun r -> draw_int r, draw_float r, draw_string r) r }
  | _ -> Snapshot (draw_array draw_leg r, draw_option (draw_shape 3) r, draw_int r)

let draw_reply r number = { number; answer = draw_answer r }

(* -- one connection ------------------------------------------------------------------------------------- *)

type options =
  { mutable name : string
  ; mutable mode : int
  ; mutable count : int
  ; mutable seed : int
  ; mutable clients : string
  ; mutable server_name : string
  ; mutable credentials : string
  ; mutable expect_credentials : string option
  ; mutable send_version : int
  ; mutable recv_version : int
  ; mutable check_time_stamps : bool
  ; mutable half_close : bool
  ; mutable account_prefix : string
  ; mutable timeout : float
  }

(* What travels one way on one connection: which messages, of which type. *)
type 'message traffic =
  { title : string
  ; codec : 'message Bin_prot.Type_class.t
  ; draw : R.t -> int -> 'message
  ; salt : int array
  }

let requests options client =
  let draw r number =
    let request = draw_request r number in
    { request with account = options.account_prefix ^ request.account }
  in
  { title = "request"; codec = bin_request; draw; salt = [| options.seed; Hashtbl.hash client; 1 |] }

let replies options client =
  { title = "reply"; codec = bin_reply; draw = draw_reply; salt = [| options.seed; Hashtbl.hash client; 2 |] }

let expected traffic number =
  let r = R.make (Array.append traffic.salt [| number |]) in
  let time_stamp = 1e9 +. R.float r 1e9 in
  time_stamp, traffic.draw r number

let framed text =
  let length = Bytes.create 8 in
  Bytes.set_int64_le length 0 (Int64.of_int (String.length text));
  Bytes.to_string length ^ text

let framed_message traffic number =
  let time_stamp, message = expected traffic number in
  let body = encode traffic.codec.writer message in
  framed (encode bin_writer_header { time_stamp; body_length = String.length body }) ^ body

let read_exactly input what size =
  try really_input_string input size with
  | End_of_file -> fail "the stream ended inside %s" what

let read_framed input what ~longest =
  let length = String.get_int64_le (read_exactly input (what ^ "'s length") 8) 0 in
  if Int64.compare length 0L < 0 || Int64.compare length (Int64.of_int longest) > 0
  then fail "%s: its length is %Ld" what length;
  read_exactly input what (Int64.to_int length)

let check_message options input traffic number =
  let what = Printf.sprintf "%s %d" traffic.title number in
  let header = decode (what ^ "'s header") bin_reader_header (read_framed input (what ^ "'s header") ~longest:17) in
  let time_stamp, message = expected traffic number in
  let bits = Int64.bits_of_float in
  if options.check_time_stamps && bits header.time_stamp <> bits time_stamp
  then fail "%s: its time_stamp is %h, not %h" what header.time_stamp time_stamp;
  if header.body_length < 0 || header.body_length > 1 lsl 26
  then fail "%s: its body_length is %d" what header.body_length;
  check_same what traffic.codec ~expected:message (read_exactly input what header.body_length);
  Atomic.incr checked

let check_end input =
  match input_char input with
  | byte -> fail "byte %02x where the stream should have ended" (Char.code byte)
  | exception End_of_file -> ()

let write_all socket text =
  if Unix.write_substring socket text 0 (String.length text) <> String.length text then fail "a write was cut short"

(* Sends messages in pieces that begin and end anywhere: several at once, and parts of one. *)
let sender socket traffic =
  let r = R.make (Array.append traffic.salt [| -1 |]) in
  let waiting = ref "" in
  let send number =
    let text = !waiting ^ framed_message traffic number in
    let cut = R.int r (String.length text + 1) in
    write_all socket (String.sub text 0 cut);
    waiting := String.sub text cut (String.length text - cut)
  in
  send, fun () -> write_all socket !waiting

let say_hello options socket =
  let mode = decode "--mode" bin_reader_mode (String.make 1 (Char.chr (options.mode land 255))) in
  let { name; send_version; recv_version; credentials; _ } = options in
  write_all socket (framed (encode bin_writer_hello { name; mode; send_version; recv_version; credentials }))

(* The agreed versions, the one that is sent first. *)
let check_hello options input =
  let data = read_framed input "the hello" ~longest:65536 in
  let hello = decode "the hello" bin_reader_hello data in
  check_same "the hello" bin_hello ~expected:hello data;
  let mode = Char.code (encode bin_writer_mode hello.mode).[0] in
  if mode <> options.mode then fail "the hello of %S has mode %d, not %d" hello.name mode options.mode;
  let check_credentials wanted =
    if hello.credentials <> wanted
    then fail "the hello of %S has the credentials %S, not %S" hello.name hello.credentials wanted
  in
  Option.iter check_credentials options.expect_credentials;
  let send = min options.send_version hello.recv_version in
  let recv = min options.recv_version hello.send_version in
  if send < 1 || recv < 1 then fail "%S and this end share no version: send %d, recv %d" hello.name send recv;
  hello.name, send, recv

(* -- client and server ---------------------------------------------------------------------------------- *)

let address_of text =
  match String.rindex_opt text ':' with
  | None -> Unix.ADDR_UNIX text
  | Some at ->
    let port = int_of_string (String.sub text (at + 1) (String.length text - at - 1)) in
    Unix.ADDR_INET (Unix.inet_addr_of_string (String.sub text 0 at), port)

let open_socket address = Unix.socket (Unix.domain_of_sockaddr address) Unix.SOCK_STREAM 0

let run_client options address =
  let socket = open_socket address in
  Unix.connect socket address;
  let input = Unix.in_channel_of_descr socket in
  say_hello options socket;
  let server, send, recv = check_hello options input in
  if server <> options.server_name then fail "the server's name is %S, not %S" server options.server_name;
  let write_requests () =
    let send_request, finish = sender socket (requests options options.name) in
    for number = 1 to options.count do send_request number done;
    finish ();
    if options.half_close then Unix.shutdown socket Unix.SHUTDOWN_SEND
  in
  let writer = Thread.create (fun () -> guarded write_requests) () in
  let traffic = replies options options.name in
  for number = 1 to options.count do check_message options input traffic number done;
  Thread.join writer;
  if not options.half_close then Unix.shutdown socket Unix.SHUTDOWN_SEND;
  check_end input;
  Printf.printf "ok client %s: %d replies from %s, send version %d, recv version %d\n%!" options.name options.count
    server send recv

let serve_one options socket take_name =
  let input = Unix.in_channel_of_descr socket in
  say_hello options socket;
  let client, _, _ = check_hello options input in
  take_name client;
  let send_reply, finish = sender socket (replies options client) in
  let traffic = requests options client in
  for number = 1 to options.count do
    check_message options input traffic number;
    send_reply number
  done;
  finish ();
  check_end input;
  Unix.close socket

let run_server options address =
  let listener = open_socket address in
  Unix.setsockopt listener Unix.SO_REUSEADDR true;
  Unix.bind listener address;
  Unix.listen listener 16;
  (match Unix.getsockname listener with
   | Unix.ADDR_UNIX path -> Printf.printf "listening %s\n%!" path
   | Unix.ADDR_INET (ip, port) -> Printf.printf "listening %s:%d\n%!" (Unix.string_of_inet_addr ip) port);
  let names = String.split_on_char ',' options.clients in
  let missing = ref names in
  let lock = Mutex.create () in
  let take_name name =
    Mutex.lock lock;
    if not (List.mem name !missing) then fail "the client %S was not expected, or came twice" name;
    missing := List.filter (fun other -> other <> name) !missing;
    Mutex.unlock lock
  in
  let accept _ =
    let socket, _ = Unix.accept listener in
    Thread.create (fun () -> guarded (fun () -> serve_one options socket take_name)) ()
  in
  List.iter Thread.join (List.map accept names);
  Printf.printf "ok server %s: %d requests from %s\n%!" options.name (Atomic.get checked) options.clients

(* -- samples and recorded bytes ------------------------------------------------------------------------- *)

(* Prints the bodies of messages, for the tests of other readers and writers. *)
let draw_samples options =
  let print traffic number =
    let _, message = expected traffic number in
    Printf.printf "%s\t%s\n" traffic.title (hex (encode traffic.codec.writer message))
  in
  for number = 1 to options.count do
    print (requests options options.name) number;
    print (replies options options.name) number
  done

(* Each line of the input: what it is, its bytes in hex, its values; between them tabs. *)
let check_hex () =
  let check line cells =
    let same what codec expected data = check_same (Printf.sprintf "line %d, %s" line what) codec ~expected data in
    let split_length data = String.get_int64_le data 0, String.sub data 8 (String.length data - 8) in
    let unframe data =
      let length, rest = split_length data in
      if Int64.to_int length <> String.length rest then fail "line %d: wrong length %Ld" line length;
      rest
    in
    match cells with
    | [ "hello"; data; name; mode; send_version; recv_version; credentials ] ->
      let mode = decode "mode" bin_reader_mode (String.make 1 (Char.chr (int_of_string mode))) in
      let send_version = int_of_string send_version and recv_version = int_of_string recv_version in
      same "hello" bin_hello { name; mode; send_version; recv_version; credentials } (unframe (unhex data))
    | [ "header"; data; time_stamp; body_length ] ->
      let expected = { time_stamp = float_of_string time_stamp; body_length = int_of_string body_length } in
      same "header" bin_header expected (unframe (unhex data))
    | [ "data"; data; time_stamp; seq; body ] ->
      let length, rest = split_length (unhex data) in
      let body_at = Int64.to_int length in
      let body_length = String.length rest - body_at in
      let header = { time_stamp = float_of_string time_stamp; body_length } in
      same "header" bin_header header (String.sub rest 0 body_at);
      same "body" bin_sample { seq = int_of_string seq; body } (String.sub rest body_at body_length)
    | [ "int"; data; value ] -> same "int" bin_int (int_of_string value) (unhex data)
    | [ "time"; data; value ] -> same "time" bin_time (float_of_string value) (unhex data)
    | [ "string"; first_bytes; value ] ->
      let data = encode bin_writer_string value in
      let size = String.length first_bytes / 2 in
      if String.sub data 0 size <> unhex first_bytes then fail "line %d: a string begins with %s" line (hex data)
    | _ -> fail "line %d is none of hello, header, data, int, time, string" line
  in
  let rec each line =
    match input_line stdin with
    | text ->
      check line (String.split_on_char '\t' text);
      each (line + 1)
    | exception End_of_file -> line - 1
  in
  Printf.printf "ok check-hex: %d lines\n%!" (each 1)

(* -- the command line ----------------------------------------------------------------------------------- *)

let usage =
  "judge server ADDRESS [options] | judge client ADDRESS [options] | judge draw [options] | judge check-hex <LINES\n\
   ADDRESS is the path of a Unix socket, or IP:PORT.\n"

let () =
  let options =
    { name = ""; mode = 0; count = 100; seed = 0; clients = "alice"; server_name = "server"; credentials = ""
    ; expect_credentials = None; send_version = 1; recv_version = 1; check_time_stamps = false; half_close = false
    ; account_prefix = ""; timeout = 60.
    }
  in
  let words = ref [] in
  Arg.parse
    (Arg.align
       [ "--name", Arg.String (fun x -> options.name <- x), "NAME who it says it is (alice, or server)"
       ; "--mode", Arg.Int (fun x -> options.mode <- x), "N index of the mode's constructor, 0 or 1"
       ; "--count", Arg.Int (fun x -> options.count <- x), "K how many messages each client sends"
       ; "--seed", Arg.Int (fun x -> options.seed <- x), "S what the messages are drawn from"
       ; "--clients", Arg.String (fun x -> options.clients <- x), "A,B (server) which clients come, each once"
       ; "--server-name", Arg.String (fun x -> options.server_name <- x), "NAME (client) the server's name"
       ; "--credentials", Arg.String (fun x -> options.credentials <- x), "TEXT what it sends as credentials"
       ; ( "--expect-credentials", Arg.String (fun x -> options.expect_credentials <- Some x)
         , "TEXT which credentials the peer's hello must carry" )
       ; "--send-version", Arg.Int (fun x -> options.send_version <- x), "N in the hello"
       ; "--recv-version", Arg.Int (fun x -> options.recv_version <- x), "N in the hello"
       ; ( "--check-time-stamps", Arg.Unit (fun () -> options.check_time_stamps <- true)
         , " demand the sender's time stamps" )
       ; ( "--half-close", Arg.Unit (fun () -> options.half_close <- true)
         , " (client) end the stream behind the last request, before the replies are read" )
       ; "--account-prefix", Arg.String (fun x -> options.account_prefix <- x), "TEXT what stands before each account"
       ; "--timeout", Arg.Float (fun x -> options.timeout <- x), "SECONDS how long it may take altogether (60)"
       ])
    (fun word -> words := word :: !words)
    usage;
  let start role name run address =
    if options.name = "" then options.name <- name;
    who := Printf.sprintf "judge %s %s" role options.name;
    Sys.set_signal Sys.sigpipe Sys.Signal_ignore;
    watch_time options.timeout;
    guarded (fun () -> run options (address_of address))
  in
  match List.rev !words with
  | [ "client"; address ] -> start "client" "alice" run_client address
  | [ "server"; address ] -> start "server" "server" run_server address
  | [ "draw" ] -> guarded (fun () -> draw_samples options)
  | [ "check-hex" ] -> guarded check_hex
  | _ ->
    prerr_string usage;
    exit 2
