// Names and paths on their way to a shell. In a process, Nextflow escapes a path that stands by itself in a text, and
// leaves $ ; * ? [ ] # and others as they are; in .command.run, which fetches the inputs, it does so everywhere.

// Whether a local path can be named at all: in the locale C, Java knows no letters beyond ASCII.
def isNamable(path) {
    try {
        return path.contains('://') || java.nio.file.Paths.get(path) != null
    }
    catch (java.nio.file.InvalidPathException _error) {
        return false
    }
}

def unnamable() {
    return 'has letters that the locale cannot name; export LC_ALL=C.UTF-8'
}

// The work directory is in every task's commands, and cannot be linked away.
def workFolderProblems(folder) {
    def unescaped = '$;*?[]{}'.any { letter -> folder.toString().contains(letter) }
    def problem = "the path of the work directory cannot have any of \$ ; * ? [ ] { }; give another by -work-dir; received '${folder}'"
    return unescaped ? [problem.toString()] : []
}

// One word of a shell's command, whatever is in it.
def quoted(text) {
    return "'" + text.toString().replace("'", "'\\''") + "'"
}

// The words of more arguments: parted by blanks, with quotes and backslashes as in a shell; nothing in them is run or replaced.
def quotedWords(text) {
    if (text.replaceAll(word(), '').trim()) {
        error("a quote or backslash in these arguments has no end: ${text}")
    }
    return wordsOf(text).collect { found -> quoted(found) }.join(' ')
}

def wordsOf(text) {
    return text.findAll(word()).collect { found -> unquoted(found) }
}

def word() {
    return /(?s)(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+/
}

def unquoted(word) {
    return word.replaceAll(/(?s)'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/) { _all, inSingle, inDouble, letter ->
        inSingle ?: inDouble?.replaceAll(/\\(["\\$`])/) { _pair, escaped -> escaped } ?: letter ?: ''
    }
}

// Whether Nextflow's escaping covers a path, for the shell and for every engine's mounts (':' and ',' part these).
def isEscaped(path) {
    return path.toString() ==~ /[\p{L}\p{M}\p{N} _.\/+=@%~'"()&!-]*/
}

// The same file or folder under a name that Nextflow escapes: itself, or linked into the work directory, where that cannot be, copied.
// The folder there stands for path, sizes and times, so that -resume finds it again, and a changed file another.
def escapable(path, workFolder) {
    if (isEscaped(path)) {
        return path
    }
    def files = path.isDirectory() ? filesBelow(path) : [path]
    def state = [path.toString()] + files.collect { part -> [part.toString(), part.size(), part.lastModified()] }
    def target = workFolder.resolve("inputs/${state.toString().md5()}/${path.name.replaceAll(/[^\p{L}\p{M}\p{N}_.+=-]/, '_')}")
    if (!target.exists()) {
        def unfinished = target.resolveSibling("unfinished-${UUID.randomUUID()}")
        files.each { part -> linkOrCopy(part, unfinished.resolve(path.relativize(part).toString())) }
        unfinished.renameTo(target)
    }
    return target
}

def filesBelow(folder) {
    def files = []
    folder.eachFileRecurse(groovy.io.FileType.FILES) { part -> files << part }
    return files.sort()
}

// A hard link, which needs neither time nor room and reaches into containers; not every file system has them.
def linkOrCopy(source, target) {
    target.parent.mkdirs()
    try {
        java.nio.file.Files.createLink(target, source.toRealPath())
    }
    catch (Exception _error) {
        source.copyTo(target)
    }
}
