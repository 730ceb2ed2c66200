// nginx's njs, asked to do what the repeater does: split the frames and call a filter for each message.

function wanted(data, start, end) {
    return true;
}

function filter(s) {
    let greeted = false;
    let waiting = [];
    let size = 0;
    let needed = 4;

    s.on('upstream', function (data, flags) {
        if (waiting.length || data.length < needed) {
            waiting.push(data);
            size += data.length;
            if (size < needed) {
                return;
            }
            data = Buffer.concat(waiting);
            waiting = [];
            size = 0;
        }
        const total = data.length;
        let start = 0;
        let run = 0;
        needed = 4;
        while (start + 4 <= total) {
            const end = start + 4 + data.readUInt32BE(start);
            if (end > total) {
                needed = end - start;
                break;
            }
            if (greeted && !wanted(data, start + 4, end)) {
                if (run < start) {
                    s.send(data.slice(run, start), flags);
                }
                run = end;
            }
            greeted = true;
            start = end;
        }
        if (run < start) {
            s.send(data.slice(run, start), flags);
        }
        if (start < total) {
            waiting.push(data.slice(start));
            size = total - start;
        }
    });
}

export default {filter};
