// --keep_genes: names with commas between, or a file of them, which has to be brought to the tasks.

include { escapable ; isNamable ; unnamable } from './shell'

def keepGenesProblems(text, launchFolder) {
    if (!text) {
        return []
    }
    if (!isNamable(text)) {
        return ["--keep_genes ${unnamable()}"]
    }
    // Taken for names, these would be genes that no sample has.
    def likeFile = text.contains('://') || text ==~ /\.{0,2}\/.*|.*\.(txt|tsv|csv|list)(\.gz)?/
    return likeFile && !geneList(text, launchFolder) ? ["--keep_genes: there is no file ${text}"] : []
}

def geneList(text, launchFolder) {
    def path = text.contains('://') ? file(text, glob: false) : launchFolder.resolve(text)
    return path.exists() && !path.isDirectory() ? path : null
}

// What SCINFILL_PREPROCESS takes: names or a list.
def genesToKeep(text, launchFolder, workFolder) {
    def list = text ? geneList(text, launchFolder) : null
    return [names: list ? '' : text ?: '', list: list ? escapable(list, workFolder) : []]
}
