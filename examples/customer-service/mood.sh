case $(cat) in
  *late*|*broken*) echo '{"mood": "angry"}' ;;
  *) echo '{"mood": "calm"}' ;;
esac
